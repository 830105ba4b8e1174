"""A render host: registers at a server, runs its tasks and reports. A client; the server never imports it."""
