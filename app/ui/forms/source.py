"""Source of a manifest form and the changes since."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from app.state import get_pipeline
from app.ui.boundary import escape_markdown, show_error
from app.ui.forms.submissions import FORM, form_id
from app.ui.words import rate
from tunixrt_core.datasets.versions import DatasetVersion
from tunixrt_core.errors import NotFound, TunixRTError
from tunixrt_core.manifest.manifest import HYPERPARAMETERS, RunManifest

# names in the address of the form's source: a run, or the draft with a loaded manifest
CLONE, LOADED = "clone", "manifest"
Label = Callable[[str, str], str]

_OPEN = "open-manifest"  # in the session

_SENDS = 3  # script runs in which the fields are sent to the browser
# fields that contain a number where the manifest has null
NULL = {"early_stopping": 0, "max_grad_norm": 0.0}


@dataclass(frozen=True, slots=True)
class Source:
    """The source of a form's values. `id` changes with the content; `run` is set if the source is a run."""

    id: str
    label: str
    manifest: RunManifest
    run: str | None = None

    @property
    def values(self) -> dict[str, Any]:
        """Values by flat name, as the fields contain them."""
        found = HYPERPARAMETERS.read(self.manifest.to_dict())
        return {name: NULL[name] if value is None and name in NULL else value for name, value in found.items()}

    def without_field(self, fields: Collection[str], model_id: str) -> dict[str, Any]:
        """Hyperparameters without a field here; the tokenizer only with the same model."""
        found = HYPERPARAMETERS.read(self.manifest.to_dict())
        left_out = {*fields, *(("tokenizer",) if model_id != self.manifest.model.id else ())}
        return {name: value for name, value in found.items() if name not in left_out}


def source_of() -> Source | None:
    """The run or the loaded manifest in the address. An unusable one is shown as an error."""
    try:
        if run_id := st.query_params.get(CLONE):
            manifest = get_pipeline().runs.manifest(run_id)
            return Source(run_id, run_id, manifest, run_id)
        if name := st.query_params.get(LOADED):
            text, label = loaded_manifest(name)
            return Source(name, label, RunManifest.from_text(text))
    except TunixRTError as error:
        show_error(error)
    return None


def keep_manifest(text: str, label: str) -> str:
    """Keep a manifest's text, so that an address can name it. Returns the name. Raises InvalidManifest."""
    RunManifest.from_text(text)
    return get_pipeline().drafts.keep_text(text, label=label)


def remember_open(manifest: RunManifest) -> None:
    """Keep the manifest of the form that is being filled in, for pages that are opened from the menu meanwhile."""
    st.session_state[_OPEN] = (manifest, form_id())


def name_open_manifest() -> RunManifest | None:
    """The manifest of the form that is being filled in, named in the address as a loaded one is; None without one."""
    if _OPEN not in st.session_state:
        return None
    opened: tuple[RunManifest, str] = st.session_state[_OPEN]
    manifest, form = opened
    st.query_params.update({**settings_address(manifest), FORM: form})
    return manifest


def settings_address(manifest: RunManifest | None) -> dict[str, str]:
    """Query that opens another form with these settings, or without a manifest with the same dataset version."""
    if manifest is not None:
        return {LOADED: keep_manifest(manifest.to_yaml(), manifest.name)}
    dataset = st.query_params.get("dataset")
    return {"dataset": dataset} if dataset else {}


def loaded_manifest(name: str) -> tuple[str, str]:
    """The text and label of a kept manifest. Raises NotFound."""
    draft = get_pipeline().drafts.find(name)
    if draft is None or "text" not in draft:
        raise NotFound("manifest", name, "It is no longer kept. Load its file again.")
    return str(draft["text"]), str(draft.get("label", name))


def load_source(prefix: str, label: str, text: str) -> None:
    """Fill the form from a manifest's text when it is next drawn. Raises InvalidManifest naming the key."""
    name = keep_manifest(text, label)
    st.session_state.pop(f"filled {prefix}", None)
    for gone in (CLONE, "dataset", "model", "method"):
        st.query_params.pop(gone, None)
    st.query_params[LOADED] = name


def forget_source(prefix: str) -> None:
    """Let the form start from its preset again."""
    get_pipeline().drafts.forget(form_id())
    st.session_state.pop(f"filled {prefix}", None)
    for key in [str(key) for key in st.session_state if str(key).startswith(f"{prefix}-")]:
        del st.session_state[key]
    for gone in (CLONE, LOADED):
        st.query_params.pop(gone, None)


def fill_from(source: Source, prefix: str, fields: Sequence[str]) -> None:
    """Before the form is drawn: write the source into the fields once, or again if they are new."""
    fresh = f"{prefix}-learning_rate" not in st.session_state
    if st.session_state.get(f"filled {prefix}") == source.id and not fresh:
        return
    st.session_state[f"filled {prefix}"] = source.id
    values, duration = source.values, source.manifest.duration
    for name in fields:
        if values[name] is not None:  # one of the two durations is missing
            st.session_state[f"{prefix}-{name}"] = values[name]
    st.session_state[f"{prefix}-model"] = source.manifest.model.id
    st.session_state[f"{prefix}-preset"] = (source.manifest.model.id, source.manifest.method.value)
    by_epochs = duration.epochs is not None
    st.session_state[f"{prefix}-by"] = "Epochs" if by_epochs else "Train steps"
    st.session_state[f"{prefix}-{'epochs' if by_epochs else 'train_steps'}"] = duration.epochs or duration.train_steps
    send_again(prefix)


def send_again(prefix: str) -> None:
    """After the fields were written: let `send` repeat that in the next script runs."""
    st.session_state[f"sent {prefix}"] = (0, {})


def send(prefix: str) -> None:
    """Write the values before the fields are drawn. Streamlit sends a value set by the script once, and drops that
    message if the next script run starts before, as with a quick preflight on a busy machine.
    """
    times, sent = st.session_state.get(f"sent {prefix}", (_SENDS, {}))
    if times >= _SENDS:
        return
    fields = {str(k): v for k, v in st.session_state.items() if str(k).startswith(f"{prefix}-") and is_field(v)}
    if times and any(fields.get(key) != value for key, value in sent.items()):
        times = _SENDS  # the user has changed one, so the browser has them
    else:
        for key, value in fields.items():
            st.session_state[key] = value
    st.session_state[f"sent {prefix}"] = (times + 1, fields)


def is_field(value: Any) -> bool:
    """Whether a field of the form has this name."""
    return isinstance(value, bool | int | float | str)


def preferred_ref(versions: Sequence[DatasetVersion], source: Source | None) -> str:
    """The initial dataset version of a form, as in the address: that of the source, or the newest."""
    wanted = source.manifest.dataset if source else None
    if wanted is None or any((each.name, each.version) == (wanted.name, wanted.version) for each in versions):
        first = wanted or versions[0]
        return f"{first.name}:{first.version}"
    assert source is not None
    if "dataset" not in st.query_params:
        said = f"{source.label} was made from {wanted.name} v{wanted.version}, which is missing in this home."
        st.warning(escape_markdown(said), icon=":material/dataset:")
    return f"{versions[0].name}:{versions[0].version}"


def labels(
    source: Source | None, prefix: str, words: Mapping[str, Callable[[Any], str]], start: Mapping[str, Any]
) -> Label:
    """The label of a field, with the source's value if the field differs from it; without a source, with `start`."""
    was = source.values if source else start

    def label(name: str, text: str) -> str:
        key = f"{prefix}-{name}"
        if name not in was or key not in st.session_state:
            return text
        before, now = was[name], st.session_state[key]
        if before == now or (before is None and not source):
            return text
        if before is None and name in ("epochs", "train_steps"):
            said = _other_duration(was)
        else:
            said = words.get(name, _word)(before)
        return f"{text} :orange[● {'was' if source else 'preset'} {escape_markdown(said)}]"

    return label


def _other_duration(was: Mapping[str, Any]) -> str:
    return f"{was['train_steps']:,} train steps" if was["epochs"] is None else f"{was['epochs']:g} epochs"


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if value is None:
        return "none"
    if isinstance(value, float):
        return rate(value) if 0 < abs(value) < 0.01 else f"{value:g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
