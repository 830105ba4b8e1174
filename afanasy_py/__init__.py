"""A render farm server that speaks the protocol of CGRU Afanasy 3.4.1."""

__version__ = "0.1.0"
