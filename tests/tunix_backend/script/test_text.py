"""The text in the script is Python that returns the value, and only the requested lines."""

from __future__ import annotations

import pytest

from tunixrt_core.tunix_backend.script.text import Code, assignment, fill_template, literal


@pytest.mark.parametrize("text", ["", "it's", 'a "b"', 'both \' and ""', "line\nend\t\\ é \x00", "'''"])
def test_a_string_stands_in_the_script_as_itself(text: str) -> None:
    assert eval(literal(text)) == text


def test_lines_of_the_template_are_chosen_by_their_flags() -> None:
    template = "#: if a\nA {{x}}\n#: if b two\nB\n#: else\nC\n#: end\n#: end\n#: if not a\nD\n#: end\n"
    assert fill_template(template, {"a": "yes", "b": "two"}, {"x": "1"}) == "A 1\nB\n"
    assert fill_template(template, {"a": "yes", "b": "one"}, {"x": "1"}) == "A 1\nC\n"
    assert fill_template(template, {"b": "two"}, {}) == "D\n"


def test_a_long_value_of_a_setting_stands_in_a_line_of_its_own() -> None:
    assert assignment("A", 1) == "A = 1"
    assert assignment("NAME", "x" * 80) == f'NAME = (\n    "{"x" * 80}"\n)'
    assert assignment("NAME", "x" * 90) == f'NAME = "{"x" * 90}"'  # which is too long either way
    assert assignment("DTYPE", Code("jnp.float32")) == "DTYPE = jnp.float32"
