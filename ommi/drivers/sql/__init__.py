"""drivers/sql"""
