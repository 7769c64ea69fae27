"""`socktrace export FILE -f FORMAT`: a recording for another tool."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

from tracer.cli.messages import complain
from tracer.cli.options import Formatter
from tracer.pipeline.exporting import export
from tracer.views.exports import FORMATS
from tracer.words import LANGUAGES, language


def main(argv: Sequence[str]) -> int:
    """Write a recording in another format."""
    formats = "\n".join(f"  {name:<11}{form.what}" for name, form in FORMATS.items())
    parser = argparse.ArgumentParser(
        prog="socktrace export",
        description="Write a recording in the format of another tool.",
        epilog=f"formats:\n{formats}",
        formatter_class=Formatter,
        allow_abbrev=False,
    )
    parser.add_argument("file", metavar="FILE", help="a recording made with -w; - is stdin")
    parser.add_argument("-f", "--format", required=True, choices=FORMATS, metavar="FORMAT", help="see below")
    parser.add_argument("-o", "--output", metavar="OUT", help="a file, instead of stdout")
    parser.add_argument("--otlp-endpoint", metavar="URL", help="with -f otlp: send the spans to this collector instead")
    parser.add_argument("--lang", choices=LANGUAGES, help="with -f html: the language of the report (default: by LANG)")
    options = parser.parse_args(argv)
    if options.otlp_endpoint and options.format != "otlp":
        parser.error("--otlp-endpoint goes with -f otlp")
    return export(
        options.file,
        options.format,
        options.output,
        complain,
        collector=options.otlp_endpoint,
        language=language(options.lang, os.environ),
    )
