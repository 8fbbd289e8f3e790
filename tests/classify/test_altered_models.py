"""Altered kernels and archives: refused with an error, never walked."""

from __future__ import annotations

import hashlib
import io
import re
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.neural_network import MLPClassifier

from cocal.classify import artefact
from cocal.classify import model as models
from cocal.classify.kernel import kernel_of, read_kernel, write_kernel
from cocal.classify.model import Model
from cocal.errors import ModelMismatchError

ESTIMATORS = {
    "walked": RandomForestClassifier(5, random_state=0),
    "shrubs": RandomForestClassifier(5, max_leaf_nodes=20, random_state=0),
    "boosted": HistGradientBoostingClassifier(
        max_iter=3, max_leaf_nodes=50, min_samples_leaf=2, random_state=0
    ),
    "perceptron": MLPClassifier([5, 4], max_iter=20, tol=1, random_state=0),
}


@pytest.fixture(scope="module")
def samples() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    return rng.normal(size=(400, 6)).astype(np.float32), rng.integers(0, 3, 400)


def archive_of(kernel: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr(artefact.KERNEL, kernel)
    return buffer.getvalue()


def altered(arrays: dict[str, np.ndarray], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """The arrays with one change: values, type, shape, order, or a missing or foreign array."""
    out = {name: values.copy() for name, values in arrays.items()}
    name = str(rng.choice(sorted(out)))
    values, how = out[name], rng.integers(0, 8)
    if how == 0:
        del out[name]
    elif how == 1:
        out["more"] = values
    elif how == 2:
        out[name] = values.astype(">f4") if values.dtype.kind != "V" else values["key"]
    elif how == 3:
        out[name] = np.concatenate([values.ravel(), values.ravel()[:1]])
    elif how == 4:
        out[name] = values.ravel()[: values.size // 2]
    else:
        flat = out[name] = values.copy()
        raw = flat.reshape(-1).view(np.uint8) if flat.ndim else flat.reshape(1).view(np.uint8)
        at = rng.integers(0, raw.size, 1 + (how - 5) * 20)
        raw[at] = rng.integers(0, 256, at.size) if how != 6 else 255
        if flat.dtype == np.bool_:
            out[name] = raw.astype(bool).reshape(flat.shape)
        elif flat.ndim == 0:
            out[name] = raw.view(flat.dtype).reshape(())
    return out


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_an_altered_kernel_is_refused_or_stays_within_its_arrays(
    kind: str, samples: tuple[np.ndarray, np.ndarray]
) -> None:
    x, y = samples
    estimator = ESTIMATORS[kind].fit(x, y)
    kernel = kernel_of(estimator)
    sound = kernel.predict_proba(x)
    assert (
        artefact.unpack_kernel(archive_of(write_kernel(kernel))).predict_proba(x).tobytes() == sound.tobytes()
    )
    rng, refused, differ = np.random.default_rng(1), 0, 0
    for _ in range(125):
        arrays = altered(kernel.arrays, rng)
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **arrays)
        try:
            other = artefact.unpack_kernel(archive_of(buffer.getvalue()))
        except ModelMismatchError:
            refused += 1
            continue
        # Numbers in place of numbers: the walk holds; the checksums and `models verify` compare the bytes.
        assert {n: (a.dtype, a.shape) for n, a in other.arrays.items()} == {
            n: (a.dtype, a.shape) for n, a in kernel.arrays.items()
        }
        if other.n_features_in_ == x.shape[1]:
            found = other.predict_proba(x)
            assert found.shape == sound.shape
            differ += found.tobytes() != sound.tobytes()
    assert 70 <= refused < 125, (refused, differ)


@pytest.mark.parametrize("seed", range(4))
def test_random_bytes_in_the_file_of_a_kernel_are_an_error_of_the_model(
    seed: int, samples: tuple[np.ndarray, np.ndarray]
) -> None:
    data = write_kernel(kernel_of(ESTIMATORS["walked"].fit(*samples)))
    rng = np.random.default_rng(seed)
    for _ in range(60):
        broken = bytearray(data)
        for at in rng.integers(0, len(data), 3):
            broken[at] ^= 1 << rng.integers(0, 8)
        try:
            same = artefact.unpack_kernel(archive_of(bytes(broken)))
        except ModelMismatchError:
            continue
        assert (
            same.predict_proba(samples[0]).tobytes() == read_kernel(data).predict_proba(samples[0]).tobytes()
        )


def with_nodes(arrays: dict[str, np.ndarray], field: str, change: object) -> dict[str, np.ndarray]:
    nodes = arrays["nodes"].copy()
    change(nodes[field])  # type: ignore[operator]
    return arrays | {"nodes": nodes}


@pytest.mark.parametrize(
    ("field", "change", "problem"),
    [
        ("child", lambda c: c.__setitem__(0, 0), "a leaf does not lead to itself"),
        ("child", lambda c: c.__setitem__(0, 65_535), "child is outside its tree"),
        ("child", lambda c: c.__setitem__(0, 3), "exactly one parent"),
        ("child", lambda c: c.__setitem__(5, 1), "child is outside its tree|does not lead to itself"),
        ("column", lambda c: c.__setitem__(0, 48), "column is no feature"),
        ("column", lambda c: c.__setitem__(0, 3), "column is no feature"),
        ("key", lambda c: c.__setitem__(0, 2**32 - 1), "a leaf does not lead to itself"),
    ],
)
def test_each_bound_of_a_node_is_checked(
    field: str, change: object, problem: str, samples: tuple[np.ndarray, np.ndarray]
) -> None:
    kernel = kernel_of(ESTIMATORS["walked"].fit(*samples))
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **with_nodes(kernel.arrays, field, change))
    with pytest.raises(ModelMismatchError, match=problem):
        artefact.unpack_kernel(archive_of(buffer.getvalue()))


def test_a_kernel_refuses_rows_of_another_number_of_features(samples: tuple[np.ndarray, np.ndarray]) -> None:
    kernel = kernel_of(ESTIMATORS["walked"].fit(*samples))
    with pytest.raises(ValueError, match="5 features, the kernel has 6"):
        kernel.predict_proba(samples[0][:, :5])


def test_an_archive_that_unpacks_to_much_more_is_refused() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        for name in "abcd":
            target.writestr(name, bytes(16 << 20))
    for read in (artefact.digest, artefact.unpack, artefact.unpack_contract):
        with pytest.raises(ModelMismatchError, match=r"unpack to 67108864, at most"):
            read(buffer.getvalue())


def test_a_header_that_states_more_than_the_file_holds_allocates_nothing() -> None:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": "<f8", "fortran_order": False, "shape": (1 << 50,)}
    )
    outer = io.BytesIO()
    with zipfile.ZipFile(outer, "w") as target:
        target.writestr("classes_.npy", buffer.getvalue())
    with pytest.raises(ModelMismatchError, match="does not fit"):
        artefact.unpack_kernel(archive_of(outer.getvalue()))


@pytest.mark.parametrize("field", ["left_child", "right_child", "feature"])
def test_trees_of_an_altered_estimator_are_refused_before_they_predict(
    model: Model, monkeypatch: pytest.MonkeyPatch, field: str
) -> None:
    import skops.io

    estimator, _ = artefact.unpack(model.artefact)
    tree = estimator.estimators_[0].tree_
    state = tree.__getstate__()
    state["nodes"] = state["nodes"].copy()
    state["nodes"][field][0] = 1_000_000
    tree.__setstate__(state)
    monkeypatch.setattr(skops.io, "loads", lambda *_, **__: estimator)
    with pytest.raises(ModelMismatchError, match=r"outside its tree|no feature"):
        artefact.unpack(model.artefact)


@pytest.mark.parametrize("shape", [(2, 4), (9, 1), (9, 5)])
def test_an_area_of_applicability_of_another_shape_is_refused(
    model: Model, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, int]
) -> None:
    assert len(model.card.features) == 4
    monkeypatch.setattr(models, "unpack_area", lambda _: np.zeros(shape, dtype=np.float32))
    with pytest.raises(ModelMismatchError, match=r"an area of applicability of shape"):
        models._check_card(model)


@pytest.mark.parametrize(
    "area", [np.zeros((3, 4)), np.full((3, 4), np.nan, np.float32), np.zeros(4, np.float32)]
)
def test_an_area_of_applicability_of_another_type_is_refused(model: Model, area: np.ndarray) -> None:
    with pytest.raises(ModelMismatchError, match=r"applicability\.npy is"):
        artefact.unpack_area(artefact.pack(model.classifier, {}, area))


def test_a_member_that_unpacks_to_more_than_its_header_states_is_not_unpacked() -> None:
    """512 MB of zeros in half a megabyte, which both headers state to be 100 bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr(artefact.CONTRACT, bytes(512 << 20))
    data = bytearray(buffer.getvalue())
    for signature, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        place = data.index(signature) + at
        data[place : place + 4] = (100).to_bytes(4, "little")
    for read in (artefact.digest, artefact.unpack, artefact.unpack_contract):
        tracemalloc.start()
        with pytest.raises(ModelMismatchError, match="Bad CRC-32"):
            read(bytes(data))
        assert tracemalloc.get_traced_memory()[1] < 10 << 20
        tracemalloc.stop()


def test_an_archive_of_too_many_members_is_refused_before_they_are_listed() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        for number in range(artefact.MOST_MEMBERS + 1):
            target.writestr(zipfile.ZipInfo(str(number)), b"")
    with pytest.raises(ModelMismatchError, match="more than 50000 members"):
        artefact.digest(buffer.getvalue())


def test_a_tree_that_states_more_nodes_than_it_holds_is_refused(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    import skops.io

    estimator, _ = artefact.unpack(model.artefact)
    tree = estimator.estimators_[0].tree_
    tree.__setstate__(tree.__getstate__() | {"node_count": 10_000_000})
    monkeypatch.setattr(skops.io, "loads", lambda *_, **__: estimator)
    with pytest.raises(ModelMismatchError, match="a tree of 10000000 nodes"):
        artefact.unpack(model.artefact)


def test_a_node_of_categories_is_refused(
    samples: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    import skops.io

    estimator = HistGradientBoostingClassifier(max_iter=2, random_state=0).fit(*samples)
    data = artefact.pack(estimator, {})
    estimator._predictors[0][0].nodes["is_categorical"][0] = 1
    monkeypatch.setattr(skops.io, "loads", lambda *_, **__: estimator)
    with pytest.raises(ModelMismatchError, match="a node of categories"):
        artefact.unpack(data)


def test_an_estimator_from_a_file_states_no_number_of_threads(model: Model) -> None:
    estimator, _ = artefact.unpack(model.artefact)
    estimator.n_jobs = 100_000
    assert artefact.unpack(artefact.pack(estimator, {}))[0].n_jobs is None


def saved(model: Model, artefact_bytes: bytes, folder: Path) -> Path:
    """The model with another archive, and its checksums made anew, in a folder."""
    sums = {
        "sha256": artefact.digest(artefact_bytes),
        "artefact_sha256": hashlib.sha256(artefact_bytes).hexdigest(),
    }
    models.save_model(Model(model.card.model_copy(update=sums), artefact_bytes), folder)
    return folder


def test_other_samples_of_the_area_of_applicability_are_refused_though_the_model_is_sealed_anew(
    model: Model, tmp_path: Path
) -> None:
    area, contract = artefact.unpack_area(model.artefact), artefact.unpack_contract(model.artefact)
    same = saved(model, artefact.pack(model.classifier, contract, area), tmp_path / "same")
    assert models.verify_model(same).card.applicability is not None
    area[-1, 0] += 1
    other = saved(model, artefact.pack(model.classifier, contract, area), tmp_path / "other")
    with pytest.raises(ModelMismatchError, match="another area of applicability"):
        models.load_model(other)


def test_an_estimator_that_cannot_predict_is_refused_by_verify(model: Model, tmp_path: Path) -> None:
    area, contract = artefact.unpack_area(model.artefact), artefact.unpack_contract(model.artefact)
    estimator, _ = artefact.unpack(model.artefact)
    estimator.n_classes_ += 1
    folder = saved(model, artefact.pack(estimator, contract, area), tmp_path / "a")
    with pytest.raises(ModelMismatchError, match=r"cannot be read as a model|two different models"):
        models.verify_model(folder)


def test_an_archive_without_a_member_that_it_was_packed_with_is_refused(model: Model, tmp_path: Path) -> None:
    area, contract = artefact.unpack_area(model.artefact), artefact.unpack_contract(model.artefact)
    data = artefact.pack(model.classifier, contract, area)
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        members = {name: file.read(name) for name in file.namelist() if name != artefact.KERNEL}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        for name, content in members.items():
            target.writestr(name, content)
    folder = saved(model, buffer.getvalue(), tmp_path / "a")
    with pytest.raises(ModelMismatchError, match="members with the checksum"):
        models.load_model(folder)


@pytest.mark.parametrize("classes", [np.empty(0, np.int64), np.array([1 << 40]), np.array([3], np.int32)])
def test_a_tree_is_not_made_with_other_sizes(model: Model, classes: np.ndarray) -> None:
    schema = artefact.member(model.artefact, artefact.SCHEMA).decode()
    file = re.search(r'"__loader__":"TreeNode".*?"file":"(\d+\.npy)"', schema)[1]
    array = io.BytesIO()
    np.save(array, classes)
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(model.artefact)) as own, zipfile.ZipFile(buffer, "w") as target:
        for name in own.namelist():
            if name != artefact.CONTRACT:
                target.writestr(name, array.getvalue() if name == file else own.read(name))
    with pytest.raises(ModelMismatchError, match=r"n_classes is|a tree of other sizes"):
        artefact.unpack(buffer.getvalue())
