"""Every prompt of ingestion, in one place.

A prompt is a constant system message and one user message of JSON: what callers, episodes and rows say is
only ever a JSON string inside of it, so that no text can end its own quotation and pass for an instruction;
the system message says that it is data. Being constant, system messages are what providers cache.

VERSION is raised with every change of a text or of a form; it is recorded with what a prompt has made.
"""

VERSION = 2
