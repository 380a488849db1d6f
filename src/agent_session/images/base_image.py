"""Names the image that all others stand on."""

DEFAULT_BASE_IMAGE = "docker.io/library/debian:trixie-slim"
