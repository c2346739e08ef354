"""The only room that talks to GL. Reads no files, chooses no cameras and no lights."""
