"""The REST and WebSocket doors: each module has a `router` with full paths.

Routes turn HTTP into operations and back; what is decided is decided in the operations.
"""
