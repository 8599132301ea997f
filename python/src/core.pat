# What the stub generator leaves out.
_core.__suffix__:
    __version__: str
