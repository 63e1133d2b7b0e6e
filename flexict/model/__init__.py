"""The network: backbone, patch embedding, rotary positions, pooling, back ends."""
