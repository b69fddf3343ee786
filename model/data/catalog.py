# SPDX-License-Identifier: Apache-2.0
"""Files of the known data sets: sizes, checksums, mirrors, licences."""

import dataclasses

__all__ = ["CATALOG", "Entry", "File"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class File:
    """One file of a data set.

    Parameters
    ----------
    name
        File name as published. The raw form of a ``.gz`` has the same name without ``.gz``.
    size, md5
        Bytes and checksum of the published file.
    raw_size, raw_md5
        Of what counts, whatever it is packed in: of a ``.gz`` the file in it; of a ``.zip`` the
        names and contents of its recordings (`model.data.files.recordings`); of other files the
        file itself.
    elsewhere
        Address of the same in another packing (raw, or an archive that is made on request), for
        when no mirror has it; empty: none.
    """

    name: str
    size: int
    md5: str
    raw_size: int
    raw_md5: str
    elsewhere: str = ""

    @property
    def raw_name(self) -> str:
        """Name of the decompressed file."""
        return self.name.removesuffix(".gz")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Entry:
    """The files of one data set.

    Parameters
    ----------
    name
        Name in messages, and of the folder of downloads.
    folders
        Subfolders of a data folder in which the files may lie.
    files
        Files by role: ``train-images``, ``train-labels``, ``test-images``, ``test-labels`` of IDX
        sets; ``train`` and ``test``; ``samples`` for a set in one file.
    mirrors
        Addresses that end in ``/``; a file name is appended.
    licence
        Licence of the data, with its holder.
    """

    name: str
    folders: tuple[str, ...]
    files: dict[str, File]
    mirrors: tuple[str, ...] = ()
    licence: str


def _idx_files(**facts: tuple[int, str, str]) -> dict[str, File]:
    """The four files of an MNIST-like set, from size, md5 and raw md5 of each."""
    files = {}
    for word, (size, md5, raw_md5) in facts.items():
        part, what = word.split("_")
        count = 60_000 if part == "train" else 10_000
        form, header, sample = ("idx3", 16, 28 * 28) if what == "images" else ("idx1", 8, 1)
        files[f"{part}-{what}"] = File(
            name=f"{'train' if part == 'train' else 't10k'}-{what}-{form}-ubyte.gz",
            size=size,
            md5=md5,
            raw_size=header + count * sample,
            raw_md5=raw_md5,
        )
    return files


_MNIST = Entry(
    name="mnist",
    folders=("mnist", "MNIST/raw", ""),
    files=_idx_files(
        train_images=(
            9912422,
            "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "6bbc9ace898e44ae57da46a324031adb",
        ),
        train_labels=(
            28881,
            "d53e105ee54ea40749a09fcbcd1e9432",
            "a25bea736e30d166cdddb491f175f624",
        ),
        test_images=(
            1648877,
            "9fb629c4189551a2d022fa330f9573f3",
            "2646ac647ad5339dbf082846283269ea",
        ),
        test_labels=(
            4542,
            "ec29112dd5afa0611ce80d1b7f02629c",
            "27ae3e4e09519cfbb04c329615203637",
        ),
    ),
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    licence="CC BY-SA 3.0, Yann LeCun and Corinna Cortes",
)

_FASHION_MNIST = Entry(
    name="fashion-mnist",
    folders=("fashion-mnist", "FashionMNIST/raw", ""),
    files=_idx_files(
        train_images=(
            26421880,
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        ),
        train_labels=(
            29515,
            "25c81989df183df01b3e8a0aad5dffbe",
            "9018921c3c673c538a1fc5bad174d6f9",
        ),
        test_images=(
            4422102,
            "bef4ecab320f06d8554ea6380940ec79",
            "8181f5470baa50b63fa0f6fddb340f0a",
        ),
        test_labels=(
            5148,
            "bb300cfdad3c16e7a12a480ee83cd310",
            "15d484375f8d13e6eb1aabb0c3f46965",
        ),
    ),
    mirrors=(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    ),
    licence="MIT, (c) 2017 Zalando SE",
)

_DIGITS = Entry(  # ships with the package
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
    licence="CC BY 4.0, E. Alpaydin and C. Kaynak, UCI machine learning repository",
)

_N_MNIST_1K = Entry(  # a cut of the published set that nobody mirrors
    name="n-mnist-1k",
    folders=("n-mnist-1k", ""),
    files={
        "samples": File(
            name="n-mnist-1k.npz",
            size=11728849,
            md5="540e342b09c3cd5a04a2f12d1c241ac5",
            raw_size=11728849,
            raw_md5="540e342b09c3cd5a04a2f12d1c241ac5",
        )
    },
    licence="CC BY-SA 4.0, G. Orchard et al. 2015",
)

_FSDD = Entry(
    name="fsdd",
    folders=("fsdd", ""),
    files={
        "samples": File(
            name="fsdd-recordings.zip",
            size=16163685,
            md5="5d39c0875565a12a4b0b1a0c49d7e615",
            raw_size=21173748,
            raw_md5="6a6d1ec584542fd2c3e0f5b8fdade606",
            # The recordings of this tag are those of the file; GitHub packs it on request.
            elsewhere="https://github.com/Jakobovski/free-spoken-digit-dataset/archive/refs/tags/"
            "v1.0.10.zip",
        )
    },
    licence="CC BY-SA 4.0, Z. Jackson et al., Free Spoken Digit Dataset v1.0.10",
)

# Both files lie unpacked, with these checksums, in aeon's repository and in its PyPI package.
_AEON = (
    "https://raw.githubusercontent.com/aeon-toolkit/aeon/v1.3.0/aeon/datasets/data/JapaneseVowels/"
)
_VOWELS = Entry(
    name="vowels",
    folders=("japanese-vowels", "JapaneseVowels", "vowels", ""),
    files={
        "train": File(
            name="JapaneseVowels_TRAIN.ts.gz",
            size=192602,
            md5="97323dc29b55b463c8ebec8ac95456f4",
            raw_size=487971,
            raw_md5="9165e3eec783ac6342d658685c864d19",
            elsewhere=_AEON + "JapaneseVowels_TRAIN.ts",
        ),
        "test": File(
            name="JapaneseVowels_TEST.ts.gz",
            size=255045,
            md5="6ff02c0e7337c7ed02769df9c6e7a751",
            raw_size=649132,
            raw_md5="14d15214e3ab6ac39ab2d48901d3e2a3",
            elsewhere=_AEON + "JapaneseVowels_TEST.ts",
        ),
    },
    licence="CC BY 4.0, M. Kudo, J. Toyama and M. Shimbo, UCI machine learning repository",
)

CATALOG: dict[str, Entry] = {
    entry.name: entry for entry in (_MNIST, _FASHION_MNIST, _DIGITS, _N_MNIST_1K, _FSDD, _VOWELS)
}
