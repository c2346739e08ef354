"""What developers run now and then; nothing of it ships."""
