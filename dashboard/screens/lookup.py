"""A CT that is not in the cohort: shown, then embedded as the set was, and compared with the cohort's scans."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from PIL import Image

from dashboard.components.choices import pick_number
from dashboard.components.context import Context, require
from dashboard.components.lesion_point import lesion_point
from dashboard.components.page import explanation
from dashboard.components.ranked_scans import ranked, ranked_panels, ranked_table
from dashboard.components.viewer.slice_viewer import Panel, show_panels
from dashboard.compute.waiting import obtain, run_again, section
from dashboard.data import loading
from dashboard.lookup import uploaded_ct
from dashboard.lookup.dropped_ct import DroppedCt
from dashboard.lookup.process import SLOT, LookUpRequest
from dashboard.session import state
from dashboard.session.settings import Settings
from dashboard.wording.escaping import plain
from embeddings import disclosure
from embeddings.analysis import nearest, verdicts
from embeddings.formatting import counted
from embeddings.imaging.images import read_scan
from embeddings.imaging.masks.mask_labels import normal_label
from flexict import Volume
from flexict.errors import FlexiCTError
from flexict.presets.preprocess import in_lps_order

PREVIEW_PX = 320
DROPPED = "lookup.dropped"
UPLOADED = "Uploaded CT"

settings: Settings = st.session_state["settings"]
dropped: DroppedCt = st.session_state.setdefault(DROPPED, DroppedCt())


def _look_up(found: Context) -> None:
    st.markdown(
        "Upload a CT to find the most similar scans of the cohort. It is embedded on this machine, **not added to the "
        f"cohort**, and deleted when you ask or after a day. {disclosure.RESEARCH_ONLY}."
    )
    try:
        recipe = _recipe(found)
    except FlexiCTError as error:
        st.info(plain(error))
        return
    uploaded_ct.delete_old(settings)
    _take(recipe)
    image = _kept_image()
    if image is None:
        st.caption(
            "A .nii, .nii.gz, .nrrd or .mha file, or a .zip with the slices of one DICOM series. "
            f"At most {_most_mb()} MB. File names are not stored."
        )
        return
    try:
        volume = _volume(image)
        request = _marked(found, recipe, image, volume)
        if request is None:
            return
        _what_the_encoder_sees(request, recipe)
    except (FlexiCTError, OSError) as error:
        st.error(plain(error))
        return
    if st.button("Find similar scans", type="primary", icon=":material/person_search:", key="lookup.go"):
        dropped.asked = request
        run_again(request.task, SLOT)
    if dropped.asked == request:
        with section():
            _result(found, request)


def _most_mb() -> int:
    """The largest upload, MB: the server refuses more than its own limit, whatever a page allows."""
    return min(settings.max_ct_mb, int(st.get_option("server.maxUploadSize")))


def _recipe(found: Context) -> Any:
    # Imports torch, which the other pages do not need.
    from embeddings.job.one_scan import recipe_of

    return recipe_of({str(name): value for name, value in found.embedding_set.items()})


def _take(recipe: Any) -> None:
    """The upload fields for the CT and its mask; new files go to this session's folder."""
    left, right = st.columns(2)
    ct = left.file_uploader(
        "CT",
        type=["nii", "gz", "nrrd", "mha", "zip"],
        max_upload_size=_most_mb(),
        key="lookup.ct",
        on_change=_changed,
        args=(dropped.ct_field.note_change,),
    )
    mask = None
    if recipe.view == "lesion" or recipe.with_mask:
        by_point = recipe.preset == "lesion_seed" and not recipe.with_mask
        mask = right.file_uploader(
            "Lesion mask" + (", or mark a point below" if by_point else ""),
            type=["nii", "gz", "nrrd", "mha", "dcm"],
            max_upload_size=_most_mb(),
            key="lookup.mask_file",
            on_change=_changed,
            args=(dropped.mask_field.note_change,),
        )
    try:
        dropped.take(ct, mask, settings, state.session_id(), _most_mb())
    except OSError as error:
        st.error(plain(error))
    for problem in dropped.problems:
        st.error(plain(problem))


def _changed(note: Callable[[], None]) -> None:
    """A field was filled or emptied.

    If the viewer requests slices at the same moment, Streamlit combines both and reruns the viewer alone, so this
    reruns the page.
    """
    note()
    st.rerun()


def _kept_image() -> Path | None:
    """The CT in this session's folder, and the button that deletes it."""
    image = dropped.image
    if image is None:
        return None
    try:
        if not image.exists():
            dropped.forget()
            st.info("This CT was deleted. Upload it again to look it up once more.")
            return None
        if st.button("Delete this CT from the machine", icon=":material/delete:", key="lookup.delete"):
            dropped.forget()
            st.success("The CT and everything derived from it are deleted.")
            return None
    except OSError as error:
        st.error(f"The CT could not be deleted: {plain(error)}")
    return image


def _volume(image: Path) -> Volume:
    """The CT in LPS order, read once a session."""
    volume = dropped.volume
    if volume is None:
        with st.spinner("Reading the CT ..."):
            read, header, doubt = read_scan(image)
            volume = in_lps_order(read)
        dropped.volume, dropped.notes, dropped.doubt = volume, header.notes, doubt
    z, y, x = volume.shape
    st.caption(f"{x} x {y} x {z} voxels of {' x '.join(f'{mm:.2f}' for mm in volume.spacing)} mm.")
    for note in dropped.notes:
        st.info(plain(note))
    if dropped.doubt is not None:
        st.warning(f"Values may not be in HU: {plain(dropped.doubt)}")
    return volume


def _marked(found: Context, recipe: Any, image: Path, volume: Volume) -> LookUpRequest | None:
    """Show the CT with the crop that will be embedded, and ask for the lesion where the set is of lesions."""
    mask = dropped.mask
    label = None if mask is None else _mask_label(image.parent.name)
    by_point = recipe.view == "lesion" and mask is None and recipe.preset == "lesion_seed" and not recipe.with_mask
    point = dropped.point if by_point else None
    words = "Click the lesion" if by_point and point is None else "Dashed: the crop that will be embedded"
    seen = show_panels(
        found.path,
        [Panel(_row(image, mask, point, label), UPLOADED, words)],
        f"lookup.new.{image.parent.name}",
        embedding_set=found.embedding_set if mask is not None or point is not None or not by_point else None,
        footer=disclosure.RESEARCH_ONLY,
        rerun_on_click=by_point,
    )
    if by_point:
        # The widgets of another upload start empty.
        dropped.point = marked = lesion_point(volume, seen.clicked_lps, f"lookup.point.{image.parent.name}")
        if marked != point:
            st.rerun()  # to draw the crop around the point
        return None if marked is None else LookUpRequest(found.path, found.set_id, image, None, marked)
    if recipe.view == "lesion" and mask is None:
        st.info(
            f"The set {plain(found.set_id)} has crops around a mask ({plain(recipe.label)}). Upload a mask too, or "
            "choose a set of seed crops or volumes in the sidebar."
        )
        return None
    return LookUpRequest(found.path, found.set_id, image, mask, mask_label=label)


def _mask_label(upload: str) -> str | None:
    """Which label of the uploaded mask is the lesion."""
    text = st.text_input(
        "Label of the lesion (number or name), if the mask has several",
        key=f"lookup.mask_label.{upload}",
    )
    return normal_label(text) or None


def _row(
    image: Path, mask: Path | None, point: tuple[float, float, float] | None, label: str | None = None
) -> pd.Series:
    """The uploaded CT as a row for the viewer; with another point it is another item."""
    x, y, z = point if point is not None else (None, None, None)
    at = "" if point is None else f" at {x:.1f}, {y:.1f}, {z:.1f} mm"
    return pd.Series(
        {
            "item_id": f"uploaded CT{at}",
            "case_id": "uploaded CT",
            "image_path": str(image),
            "mask_path": None if mask is None else str(mask),
            "mask_label": label,
            "seed_x": x,
            "seed_y": y,
            "seed_z": z,
        },
        dtype=object,
    )


def _what_the_encoder_sees(request: LookUpRequest, recipe: Any) -> None:
    """The encoder's input, before anything is computed from it: a wrong point or a flipped scan shows here."""
    from embeddings.job.one_scan import Scan, prepared_items

    kept = dropped.preview
    if kept is None or kept[0] != request:
        with st.spinner("Preparing the input ..."):
            scan = Scan(request.image, request.mask, request.point_lps, request.mask_label)
            items = prepared_items(scan, recipe, first_only=True)
        kept = dropped.preview = (request, items[0].array)
    array = kept[1]
    st.markdown("**What the encoder will see**" + (" (its first slice)" if array.ndim == 2 else ""))
    planes = {"slice": array}
    if array.ndim == 3:
        z, y, x = (edge // 2 for edge in array.shape)
        planes = {"axial": array[z], "coronal": array[::-1, y], "sagittal": array[::-1, :, x]}
    for place, (name, plane) in zip(st.columns(3), planes.items(), strict=False):
        words = f"Middle plane, {name}" if array.ndim == 3 else "Slice"
        place.image(_grey(plane), width=PREVIEW_PX, alt=f"{words}, of the encoder's input")
        place.caption(words)


def _grey(plane: np.ndarray) -> Image.Image:
    low, high = np.percentile(plane, [0.5, 99.5])
    scaled = np.clip((plane - low) / max(float(high - low), 1e-6), 0, 1)
    return Image.fromarray(np.asarray(scaled * 255, dtype=np.uint8))


def _result(found: Context, request: LookUpRequest) -> None:
    table = loading.case_table(found.path, found.set_id)
    k = pick_number(st, "Neighbours", 1, 11, 5, "lookup.k")
    try:
        vector = obtain(request.task, SLOT)
        answer = nearest(np.vstack([table.vectors, vector]), len(table.vectors), k=k)
    except FlexiCTError as error:
        st.error(plain(error))
        return
    rows = ranked(table.frame.iloc[answer.index], "cosine", answer.similarity)
    st.markdown(f"#### {plain(verdicts.look_up(rows['case_id'].tolist(), rows['cosine'].tolist()))}")
    own = Panel(_row(request.image, request.mask, request.point_lps, request.mask_label), UPLOADED, "", {"rank": 0})
    no_lesion = request.mask is None and request.point_lps is None
    if no_lesion:
        st.caption("The lesion of this CT is not known, so every scan opens at its middle slice.")
    show_panels(
        found.path,
        [own, *ranked_panels(rows, "cosine")],
        "lookup",
        embedding_set=found.embedding_set,
        footer=found.footer,
        download="slices-look-up",
        from_middle=no_lesion,
    )
    ranked_table(rows, table.frame, ["rank", "cosine", "case_id", "patient_id"], "look-up")
    explanation(
        "The code of the embedding job prepares and embeds the CT with the encoder, weights (SHA-256 "
        f"{plain(str(found.embedding_set['weights_sha256'])[:12])}...), preset "
        f"{plain(found.embedding_set['preset'])} and code version of the set {plain(found.set_id)}; where any of these "
        "differs, it refuses. The vector (for slices: their mean) is compared with those of "
        f"{counted(len(table.frame), 'scan')} by cosine. A scan of the cohort finds itself with a cosine of 1. Scans "
        "from the same kind of scanner or kernel may be similar for that reason alone: see **Shortcuts**. Nothing of "
        "the CT is written to the cohort file."
    )


st.title("Look up a CT")
_look_up(require())
