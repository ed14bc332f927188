"""Error boundary of a page: any error as a sentence."""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from tunixrt_core.errors import OutputError, TunixRTError
from tunixrt_core.util.files.space import unwritable

log = logging.getLogger(__name__)

# a colon matters only before a letter, where Streamlit reads an icon or a colour
_MARKDOWN = re.compile(r"[\\`*_\[\]#<>$~]|:(?=[a-z])")
# Streamlit makes a link of every address, escaped or not, but not of one with an element within, here an empty one
_LINKED = re.compile(r"https?(?=://)|www(?=\.)|(?<=[\w.+-])(?=@)", re.IGNORECASE)


@contextmanager
def error_boundary() -> Iterator[None]:
    """Show an error where it happened. Used around every page and every fragment."""
    try:
        yield
    except TunixRTError as error:
        show_error(error)
    except Exception as error:  # the page's outermost frame: a bug must not leave a blank page
        if isinstance(error, OSError) and (why := unwritable(None, error)):
            show_error(OutputError(why))
            return
        log.exception("a page failed")
        st.error(
            f"This page failed ({type(error).__name__}). Reload it; if that does not help, report the details below.",
            icon=":material/error:",
        )
        with st.expander("Details", key="error-details"):
            st.code(traceback.format_exc(), language=None, wrap_lines=True)


def show_error(error: TunixRTError) -> None:
    """A user error, shown as its message."""
    st.error(escape_markdown(str(error)), icon=":material/error:")


def say_missing(kind: str, name: str) -> None:
    """Say that what the address names does not exist; what is shown instead was not requested."""
    st.warning(escape_markdown(f"There is no {kind} {name!r}."), icon=":material/search_off:")


def escape_markdown(text: str) -> str:
    """Text that Streamlit shows unchanged: messages may quote file names, values and addresses."""
    return _LINKED.sub(r"\g<0>:gray[]", _MARKDOWN.sub(r"\\\g<0>", text))
