"""The pages: one a file, run by Streamlit as a script. Each reads the state, asks for an analysis and lays out."""
