"""The commands of the command line, one file each: their options, and what they tell.

Refuses to hold logic, and to load anything heavy until a command runs: what it needs it imports itself.
"""
