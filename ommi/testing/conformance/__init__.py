"""What every driver does, a group of tests for each subject; `ommi.testing.DriverSuite` is all of them."""
