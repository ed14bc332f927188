"""The dashboard's component in TypeScript: what Streamlit cannot draw."""
