"""Programs that use Ommi the way an application does."""
