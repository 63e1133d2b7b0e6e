"""The slice viewer: what the server cuts and computes (Python), and what the browser draws (JavaScript)."""
