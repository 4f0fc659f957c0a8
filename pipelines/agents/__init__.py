"""Serve a bench to agents by the Model Context Protocol.

They look, ask for work, and propose; nothing of the data changes before a person merges.
"""
