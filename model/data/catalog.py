# SPDX-License-Identifier: Apache-2.0
"""The known data sets: files, sizes, checksums, mirrors, licences. Add a data set here."""

import dataclasses

__all__ = ["CATALOG", "Entry", "File"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class File:
    """One file of a data set.

    Parameters
    ----------
    name
        File name as published (``.gz``); the raw form has the same name without ``.gz``.
    size, md5
        Bytes and checksum of the published file.
    raw_size, raw_md5
        Bytes and checksum after decompression.
    """

    name: str
    size: int
    md5: str
    raw_size: int
    raw_md5: str

    @property
    def raw_name(self) -> str:
        """Name of the decompressed file."""
        return self.name.removesuffix(".gz")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Entry:
    """One data set.

    Parameters
    ----------
    name
        Name on the command line.
    folders
        Subfolders of a data folder in which the files may lie.
    files
        Files by role: ``train-images``, ``train-labels``, ``test-images``, ``test-labels`` for IDX
        sets; ``samples`` for a set in one file.
    mirrors
        Addresses that end in ``/``; a file name is appended.
    form
        ``idx``, ``csv`` or ``n-mnist``.
    shape
        Height and width of a sample, or of the sensor.
    classes
        Number of classes.
    licence
        Licence of the data, with its holder.
    """

    name: str
    folders: tuple[str, ...]
    files: dict[str, File]
    mirrors: tuple[str, ...]
    form: str
    shape: tuple[int, int]
    classes: int
    licence: str


def _idx_files(*facts: tuple[str, int, str, int, str]) -> dict[str, File]:
    files = {}
    for name, size, md5, raw_size, raw_md5 in facts:
        part = "train" if name.startswith("train") else "test"
        role = f"{part}-images" if "images" in name else f"{part}-labels"
        files[role] = File(name=name, size=size, md5=md5, raw_size=raw_size, raw_md5=raw_md5)
    return files


_MNIST = Entry(
    name="mnist",
    folders=("mnist", "MNIST/raw", ""),
    files=_idx_files(
        (
            "train-images-idx3-ubyte.gz",
            9912422,
            "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            47040016,
            "6bbc9ace898e44ae57da46a324031adb",
        ),
        (
            "train-labels-idx1-ubyte.gz",
            28881,
            "d53e105ee54ea40749a09fcbcd1e9432",
            60008,
            "a25bea736e30d166cdddb491f175f624",
        ),
        (
            "t10k-images-idx3-ubyte.gz",
            1648877,
            "9fb629c4189551a2d022fa330f9573f3",
            7840016,
            "2646ac647ad5339dbf082846283269ea",
        ),
        (
            "t10k-labels-idx1-ubyte.gz",
            4542,
            "ec29112dd5afa0611ce80d1b7f02629c",
            10008,
            "27ae3e4e09519cfbb04c329615203637",
        ),
    ),
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    form="idx",
    shape=(28, 28),
    classes=10,
    licence="CC BY-SA 3.0, Yann LeCun and Corinna Cortes",
)

_FASHION_MNIST = Entry(
    name="fashion-mnist",
    folders=("fashion-mnist", "FashionMNIST/raw", ""),
    files=_idx_files(
        (
            "train-images-idx3-ubyte.gz",
            26421880,
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            47040016,
            "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        ),
        (
            "train-labels-idx1-ubyte.gz",
            29515,
            "25c81989df183df01b3e8a0aad5dffbe",
            60008,
            "9018921c3c673c538a1fc5bad174d6f9",
        ),
        (
            "t10k-images-idx3-ubyte.gz",
            4422102,
            "bef4ecab320f06d8554ea6380940ec79",
            7840016,
            "8181f5470baa50b63fa0f6fddb340f0a",
        ),
        (
            "t10k-labels-idx1-ubyte.gz",
            5148,
            "bb300cfdad3c16e7a12a480ee83cd310",
            10008,
            "15d484375f8d13e6eb1aabb0c3f46965",
        ),
    ),
    mirrors=(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    ),
    form="idx",
    shape=(28, 28),
    classes=10,
    licence="MIT, (c) 2017 Zalando SE",
)

_DIGITS = Entry(
    name="digits",
    folders=("digits-8x8", "digits", ""),
    files={
        "samples": File(
            name="digits.csv.gz",
            size=57523,
            md5="9b335364a7bfd63947c7480a5bd51f2d",
            raw_size=264712,
            raw_md5="a0339c30a8a5312a1b6f9e5c719dcce5",
        )
    },
    mirrors=(),  # ships with the package
    form="csv",
    shape=(8, 8),
    classes=10,
    licence="CC BY 4.0, E. Alpaydin and C. Kaynak, UCI machine learning repository",
)

_N_MNIST_1K = Entry(
    name="n-mnist-1k",
    folders=("n-mnist-1k", ""),
    files={
        "samples": File(  # not packed: both forms are one
            name="n-mnist-1k.npz",
            size=11728849,
            md5="540e342b09c3cd5a04a2f12d1c241ac5",
            raw_size=11728849,
            raw_md5="540e342b09c3cd5a04a2f12d1c241ac5",
        )
    },
    mirrors=(),  # a cut of the published set that nobody mirrors
    form="n-mnist",
    shape=(34, 34),
    classes=10,
    licence="CC BY-SA 4.0, G. Orchard et al. 2015",
)

CATALOG: dict[str, Entry] = {
    entry.name: entry for entry in (_MNIST, _FASHION_MNIST, _DIGITS, _N_MNIST_1K)
}
