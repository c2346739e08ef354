"""A dataset's images and rows as others read them: lists, WebDataset shards, a folder for Hugging Face.

Refuses to look into an image or to change one: files are copied byte by byte.
"""
