"""GLSL text, loaded through importlib.resources. Holds no number that Python also knows."""
