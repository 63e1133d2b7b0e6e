"""A CT that is not in the cohort: seen first, then embedded as the set was, and compared with the cohort's scans."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from PIL import Image

from dashboard.components.context import Context, require
from dashboard.components.downloads import table_download
from dashboard.components.lesion_point import lesion_point
from dashboard.components.viewer.slice_viewer import Panel, show_panels
from dashboard.compute.waiting import obtain, run_again, section
from dashboard.data import columns, loading
from dashboard.lookup import uploaded_ct
from dashboard.lookup.dropped_ct import DroppedCt
from dashboard.lookup.process import SLOT, LookUpRequest
from dashboard.session import state
from dashboard.session.settings import Settings
from dashboard.session.widget_state import SESSION
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

settings: Settings = st.session_state["settings"]
dropped: DroppedCt = st.session_state.setdefault(DROPPED, DroppedCt())


def _page(found: Context) -> None:
    st.markdown(
        "Drop in a CT to see which scans of the cohort it is most like. It is embedded on this machine, **not added to "
        "the cohort**, and deleted when you ask or after a day. Research use only, never for diagnosis."
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
            f"At most {_most_mb()} MB. File names are not kept."
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
    """The largest upload: the server refuses more than its own limit, whatever a page asks for."""
    return min(settings.max_ct_mb, int(st.get_option("server.maxUploadSize")))


def _recipe(found: Context) -> Any:
    # Imports torch, which the other pages do not need.
    from embeddings.job.one_scan import recipe_of

    return recipe_of({str(name): value for name, value in found.embedding_set.items()})


def _take(recipe: Any) -> None:
    """The fields for the CT and its mask; what is new in them is kept in this session's folder."""
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

    Where the viewer asks for slices in the same moment, Streamlit sends both as one and runs the viewer's part alone:
    so the page is asked for.
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
            st.info("This CT was deleted. Drop it in again to look it up once more.")
            return None
        if st.button("Delete this CT from the machine", icon=":material/delete:", key="lookup.delete"):
            dropped.forget()
            st.success("The CT and everything made of it are deleted.")
            return None
    except OSError as error:
        st.error(f"The CT could not be deleted: {plain(error)}")
    return image


def _volume(image: Path) -> Volume:
    """The CT turned to LPS, read once a session."""
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
    """Show the CT with the crop that will be embedded, and take the lesion, where the set is of lesions."""
    mask = dropped.mask
    label = None if mask is None else _mask_label(image.parent.name)
    by_point = recipe.view == "lesion" and mask is None and recipe.preset == "lesion_seed" and not recipe.with_mask
    point = dropped.point if by_point else None
    words = "Click the lesion" if by_point and point is None else "Dashed: the crop that will be embedded"
    seen = show_panels(
        found.path,
        [Panel(_row(image, mask, point, label), "The CT looked up", words)],
        f"lookup.new.{image.parent.name}",
        embedding_set=found.embedding_set if mask is not None or point is not None or not by_point else None,
        footer=disclosure.RESEARCH_ONLY,
        rerun_on_click=by_point,
    )
    if by_point:
        # Widgets of one upload keep nothing of the one before.
        dropped.point = marked = lesion_point(volume, seen.clicked_lps, f"lookup.point.{image.parent.name}")
        if marked != point:
            st.rerun()  # so that the crop round the point is drawn
        return None if marked is None else LookUpRequest(found.path, found.set_id, image, None, marked)
    if recipe.view == "lesion" and mask is None:
        st.info(
            f"The set {plain(found.set_id)} is of crops made by a mask ({plain(recipe.label)}): drop in a mask too, or "
            "choose a set of seeds or volumes at the side."
        )
        return None
    return LookUpRequest(found.path, found.set_id, image, mask, mask_label=label)


def _mask_label(upload: str) -> str | None:
    """Which label of the mask that was dropped in is the lesion."""
    text = st.text_input(
        "Lesion's label in the mask (number or name), where it has several",
        key=f"lookup.mask_label.{upload}",
    )
    return normal_label(text) or None


def _row(
    image: Path, mask: Path | None, point: tuple[float, float, float] | None, label: str | None = None
) -> pd.Series:
    """The uploaded scan as the viewer takes an item; with another point it is another item."""
    x, y, z = point if point is not None else (None, None, None)
    at = "" if point is None else f" at {x:.1f}, {y:.1f}, {z:.1f} mm"
    return pd.Series(
        {
            "item_id": f"the CT looked up{at}",
            "case_id": "the CT looked up",
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
    """The input itself, before anything is computed of it: a wrong point or a flipped scan shows here."""
    from embeddings.job.one_scan import Scan, prepared_items

    kept = dropped.preview
    if kept is None or kept[0] != request:
        with st.spinner("Preparing the input ..."):
            scan = Scan(request.image, request.mask, request.point_lps, request.mask_label)
            items = prepared_items(scan, recipe, first_only=True)
        kept = dropped.preview = (request, items[0].array)
    array = kept[1]
    st.markdown("**What the encoder will see**" + (" (its first slice)" if array.ndim == 2 else ""))
    planes = {"as it is": array}
    if array.ndim == 3:
        z, y, x = (edge // 2 for edge in array.shape)
        planes = {"axial": array[z], "coronal": array[::-1, y], "sagittal": array[::-1, :, x]}
    for place, (name, plane) in zip(st.columns(3), planes.items(), strict=False):
        place.image(_grey(plane), width=PREVIEW_PX, alt=f"Middle {name} plane of the encoder's input")
        place.caption(f"Middle plane, {name}" if array.ndim == 3 else "Slice")


def _grey(plane: np.ndarray) -> Image.Image:
    low, high = np.percentile(plane, [0.5, 99.5])
    scaled = np.clip((plane - low) / max(float(high - low), 1e-6), 0, 1)
    return Image.fromarray(np.asarray(scaled * 255, dtype=np.uint8))


def _result(found: Context, request: LookUpRequest) -> None:
    table = loading.case_table(found.path, found.set_id)
    try:
        vector = obtain(request.task, SLOT)
        k = int(st.number_input("Neighbours", 1, 11, 5, key="lookup.k", persist_state=SESSION))
        answer = nearest(np.vstack([table.vectors, vector]), len(table.vectors), k=k)
    except FlexiCTError as error:
        st.error(plain(error))
        return
    rows = table.frame.iloc[answer.index].assign(rank=range(1, len(answer.index) + 1), cosine=answer.similarity)
    st.markdown(f"#### {plain(verdicts.look_up(rows['case_id'].tolist(), rows['cosine'].tolist()))}")
    row = _row(request.image, request.mask, request.point_lps, request.mask_label)
    own = Panel(row, "The CT looked up", "", {"rank": 0})
    alike = [
        Panel(
            row,
            f"{row['rank']} · {row['case_id']} · cosine {row['cosine']:.3f}",
            _facts(row),
            {"rank": row["rank"], "cosine": row["cosine"]},
        )
        for _, row in rows.iterrows()
    ]
    no_lesion = request.mask is None and request.point_lps is None
    if no_lesion:
        st.caption("No lesion is known of this CT, so every scan opens at its middle slice.")
    show_panels(
        found.path,
        [own, *alike],
        "lookup",
        embedding_set=found.embedding_set,
        footer=found.footer,
        download="slices-look-up",
        from_middle=no_lesion,
    )
    front = ["rank", "cosine", "case_id", "patient_id"]
    shown = rows[[*front, *[c for c in columns.describing(table.frame) if c not in front]]]
    st.dataframe(shown, hide_index=True, column_config=dict(columns.headings(shown)), placeholder="")
    table_download("look-up", lambda: shown)
    with st.expander("How is this computed?"):
        st.markdown(
            "The scan is prepared and embedded by the code of the job, with the encoder, weights (SHA-256 "
            f"{plain(str(found.embedding_set['weights_sha256'])[:12])}...), preset "
            f"{plain(found.embedding_set['preset'])} and code version of the set {plain(found.set_id)}; with any other "
            "it is refused. Its vector (of slices: the mean) is compared with those of "
            f"n = {counted(len(table.frame), 'scan')} by cosine. A scan of the cohort finds "
            "itself with a cosine of 1. A scan from another scanner or kernel may be like others for that alone: see "
            "**Shortcuts**. Nothing of the scan is written to the cohort file."
        )


def _facts(row: Any) -> str:
    return f"stage {row['stage']}" if isinstance(row.get("stage"), str) else ""


st.title("Look up a CT")
_page(require())
