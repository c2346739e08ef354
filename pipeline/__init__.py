"""The build: human scans in, aligned images and manifests out. Importing this costs nothing."""
