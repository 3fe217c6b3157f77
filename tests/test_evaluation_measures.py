"""The measures against libraries, closed forms and what must hold of them."""

from __future__ import annotations

import math
import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.linalg
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from vestiary import samples
from vestiary.errors import InputError
from vestiary.evaluation import distribution, lite0, pixels, preserved, standard, statistics
from vestiary.evaluation.protocol import PROTOCOLS, repainted
from vestiary.images import open_picture
from vestiary.types import Part


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    """`(320, 240, 3)` of a sample person."""
    image = open_picture(next(iter(samples.people().values()))).image
    return cv2.resize(image, (240, 320), interpolation=cv2.INTER_AREA)


def worse(photo: np.ndarray, how: str) -> list[np.ndarray]:
    """The photo with growing damage."""
    if how == "blur":
        return [cv2.GaussianBlur(photo, (0, 0), sigma) for sigma in (0.7, 1.5, 3, 6)]
    noise = np.random.default_rng(0).normal(size=photo.shape)
    return [np.clip(photo + noise * level, 0, 255).astype(np.uint8) for level in (4, 10, 25, 60)]


@pytest.mark.parametrize("how", ["blur", "noise"])
def test_pixels_agree_with_scikit_image(photo: np.ndarray, how: str) -> None:
    for other in worse(photo, how):
        assert pixels.psnr(photo, other) == pytest.approx(peak_signal_noise_ratio(photo, other), abs=1e-4)
        wanted = structural_similarity(
            *(photo, other),
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            channel_axis=2,
            data_range=255,
        )
        assert pixels.ssim(photo, other) == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize("how", ["blur", "noise"])
def test_growing_damage_is_told(photo: np.ndarray, how: str) -> None:
    maps = lite0.maps(photo)
    scores = [
        (pixels.psnr(photo, o), pixels.ssim(photo, o), pixels.ms_ssim(photo, o), -lite0.distance(maps, lite0.maps(o)))
        for o in worse(photo, how)
    ]
    for measure in zip(*scores, strict=True):
        assert list(measure) == sorted(measure, reverse=True)


def test_equal_pictures(photo: np.ndarray) -> None:
    assert pixels.psnr(photo, photo) == math.inf
    assert pixels.ssim_and_ms_ssim(photo, photo) == pytest.approx((1, 1), abs=1e-6)
    assert pixels.ssim(photo, photo) == pytest.approx(1, abs=1e-6)
    assert pixels.ms_ssim(photo, photo) == pytest.approx(1, abs=1e-6)
    assert lite0.distance(lite0.maps(photo), lite0.maps(photo)) == 0


def test_sizes_must_agree(photo: np.ndarray) -> None:
    with pytest.raises(InputError, match="240 x 320 and 240 x 300"):
        pixels.ssim(photo, photo[:300])
    with pytest.raises(InputError, match="176"):
        pixels.ms_ssim(photo[:100], photo[:100])


def test_lite0_knows_what_matters(photo: np.ndarray) -> None:
    """A shift by a pixel is less than a blur to a perceptual distance, though not to PSNR."""
    shifted, blurred = np.roll(photo, 1, axis=1), cv2.GaussianBlur(photo, (0, 0), 2)
    maps = [lite0.maps(picture) for picture in (photo, shifted, blurred)]
    assert lite0.distance(maps[0], maps[1]) < lite0.distance(maps[0], maps[2])
    strides = (2, 4, 8, 16, 32)
    shapes = [(c, 512 // s, 384 // s) for c, s in zip((16, 24, 40, 112, 320), strides, strict=True)]
    assert [level.shape for level in maps[0]] == shapes
    assert lite0.pooled(maps[0]).shape == (320,)


def normal(n: int, mean: np.ndarray, covariance: np.ndarray, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).multivariate_normal(mean, covariance, n)


def test_frechet_of_known_normals() -> None:
    covariances = np.diag([1.0, 4.0]), np.array([[2.0, 0.6], [0.6, 1.0]])
    means = np.zeros(2), np.array([1.0, -2.0])
    root = scipy.linalg.sqrtm(covariances[0] @ covariances[1])
    exact = 5 + np.trace(covariances[0] + covariances[1] - 2 * root.real)
    one, other = (normal(20000, m, c, i) for i, (m, c) in enumerate(zip(means, covariances, strict=True)))
    assert distribution.frechet(one, other) == pytest.approx(exact, rel=0.03)
    assert distribution.frechet(one, one) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(("n", "m"), [(300, 200), (20, 25)])
def test_frechet_agrees_with_the_matrix_root(n: int, m: int) -> None:
    """Also where the covariances are singular, with a little on their diagonals as pytorch-fid adds it."""
    rng = np.random.default_rng(3)
    one, other = rng.normal(size=(n, 32)), rng.normal(0.3, 1.4, (m, 32))
    c1, c2 = (np.cov(f, rowvar=False) for f in (one, other))
    root = scipy.linalg.sqrtm((c1 + 1e-7 * np.eye(32)) @ (c2 + 1e-7 * np.eye(32))).real
    wanted = np.square(one.mean(0) - other.mean(0)).sum() + np.trace(c1 + c2 - 2 * root)
    assert distribution.frechet(one, other) == pytest.approx(wanted, rel=2e-3)


def test_kid_is_unbiased_and_grows() -> None:
    rng = np.random.default_rng(0)
    same = [distribution.kid(rng.normal(size=(30, 8)), rng.normal(size=(30, 8))) for _ in range(300)]
    assert abs(np.mean(same)) < 3 * np.std(same) / math.sqrt(300)
    assert min(same) < 0
    far = [distribution.kid(rng.normal(size=(300, 8)), rng.normal(shift, 1, (300, 8))) for shift in (0, 0.3, 0.6, 1)]
    assert far == sorted(far)


def test_kid_by_its_definition() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(4, 3)), rng.normal(size=(5, 3))

    def k(a: np.ndarray, b: np.ndarray) -> float:
        return float((a @ b / 3 + 1) ** 3)

    within_x = sum(k(x[i], x[j]) for i in range(4) for j in range(4) if i != j) / 12
    within_y = sum(k(y[i], y[j]) for i in range(5) for j in range(5) if i != j) / 20
    across = sum(k(a, b) for a in x for b in y) / 20
    assert distribution.kid(x, y) == pytest.approx(within_x + within_y - 2 * across)


def test_intervals_of_distances_hold_the_truth() -> None:
    """The interval of KID between equal distributions holds 0 about as often as it says."""
    rng = np.random.default_rng(5)
    held = 0
    for round_ in range(60):
        one, other = rng.normal(size=(60, 4)), rng.normal(size=(60, 4))
        ends = distribution.interval(distribution.kid, one, other, seed=round_)
        assert ends is not None
        held += ends[0] <= 0 <= ends[1]
    assert held >= 50
    assert distribution.interval(distribution.kid, one[:7], other[:7]) is None


def test_distributions_want_the_same_network() -> None:
    with pytest.raises(InputError, match="compared"):
        distribution.frechet(np.zeros((3, 4)), np.zeros((3, 5)))
    with pytest.raises(InputError, match="two pictures"):
        distribution.kid(np.zeros((1, 4)), np.zeros((3, 4)))


def test_bootstrap_holds_the_mean() -> None:
    rng = np.random.default_rng(2)
    held = 0
    for _ in range(100):
        estimate = statistics.bootstrap(rng.exponential(1, 50).tolist())
        assert estimate.low is not None
        assert estimate.high is not None
        held += estimate.low <= 1 <= estimate.high
    assert held >= 86
    assert statistics.bootstrap([]).value is None
    assert statistics.bootstrap([3.0]) == statistics.Estimate(3.0, None, None, 1)
    assert statistics.bootstrap([1.0, math.inf, 3.0]).count == 2


def test_wilson_by_the_book() -> None:
    """Newcombe 1998, table I: 81 of 263, and 0 of 20."""
    estimate = statistics.wilson(81, 263)
    assert (estimate.low, estimate.high) == (pytest.approx(0.2553, abs=1e-4), pytest.approx(0.3662, abs=1e-4))
    assert statistics.wilson(0, 20).low == 0
    assert statistics.wilson(0, 20).high == pytest.approx(0.1611, abs=1e-4)
    assert statistics.wilson(0, 0).value is None


def test_paired_comparison() -> None:
    first = np.random.default_rng(0).normal(0, 5, 80)
    second = first + np.random.default_rng(1).normal(0.5, 0.5, 80)
    found = statistics.paired(first.tolist(), second.tolist(), higher_is_better=True)
    assert found.better == "second"
    assert found.wins[0] > found.wins[1]
    assert statistics.paired(first.tolist(), second.tolist(), higher_is_better=False).better == "first"
    assert statistics.paired(first.tolist(), first.tolist(), higher_is_better=True).better == "undecided"


def test_outside_and_face(photo: np.ndarray) -> None:
    mask = np.zeros(photo.shape[:2], np.uint8)
    mask[100:200] = 255
    result = photo.copy()
    result[150] = 255 - result[150]
    assert preserved.outside(photo, result, mask) == (0, 0.0)
    result[20, 30] = np.clip(result[20, 30] + np.array((9, -9, 0)), 0, 255)
    largest, share = preserved.outside(photo, result, mask)
    assert largest == 9
    assert share == pytest.approx(1 / (mask == 0).sum())
    parts = np.zeros_like(mask)
    assert preserved.face(photo, result, parts) is None
    parts[15:35, 20:40] = Part.FACE
    assert preserved.face(photo, result, parts) == pytest.approx(18 / 1200)


def test_repainting_keeps_the_photo_far_from_the_mask(photo: np.ndarray) -> None:
    mask = np.zeros(photo.shape[:2], np.uint8)
    mask[140:180, 100:140] = 255
    made = repainted(255 - photo, photo, mask)
    assert (made[:80] == photo[:80]).all()
    assert np.abs(made[160, 120].astype(int) - (255 - photo)[160, 120]).max() < 12
    small = PROTOCOLS["viton-hd-512x384-repaint"]
    assert small.sized(photo).shape == (512, 384, 3)
    with pytest.raises(InputError, match="no mask"):
        small.judged(photo, photo, None)


def test_standard_networks_are_absent_with_a_reason(tmp_path: Path) -> None:
    found = standard.find(tmp_path)
    assert found.inception is None
    assert not found.lpips
    assert set(found.absent) == {"fid", "kid", "lpips_alex", "lpips_squeeze", "lpips_vgg"}
    if "PyTorch" not in found.absent["fid"]:
        assert "inception-2015-12-05.pt" in found.absent["fid"]
        (tmp_path / "alexnet-owt-7be5be79.pth").write_bytes(b"no weights")
        (tmp_path / "alex.pth").write_bytes(b"no weights")
        assert "broken" in standard.find(tmp_path).absent["lpips_alex"]


@pytest.mark.train
@pytest.mark.parametrize("trunk", ["alex", "squeeze", "vgg"])
def test_lpips_with_made_up_weights(trunk: standard.Trunk, photo: np.ndarray, tmp_path: Path) -> None:
    """Arithmetic and file forms; 0 for equal pictures, and growing with damage."""
    torch = pytest.importorskip("torch")
    from vestiary.networks import lpips_trunks

    torch.manual_seed(0)
    layers = {"alex": lpips_trunks._alex, "squeeze": lpips_trunks._squeeze, "vgg": lpips_trunks._vgg}[trunk]()
    torch.save({f"features.{k}": v for k, v in layers.state_dict().items()}, tmp_path / "trunk.pth")
    widths = {"alex": (64, 192, 384, 256, 256), "squeeze": (64, 128, 256, 384, 384, 512, 512)}
    linear = widths.get(trunk, (64, 128, 256, 512, 512))
    torch.save({f"lin{i}.model.1.weight": torch.ones(1, w, 1, 1) for i, w in enumerate(linear)}, tmp_path / "lin.pth")
    network = standard.Lpips(trunk, (tmp_path / "trunk.pth", tmp_path / "lin.pth"))
    small = photo[:96, 70:166]
    scores = [network.distance(small, other) for other in (small, *worse(small, "blur")[1::2])]
    assert scores[0] == 0
    assert scores == sorted(scores)


@pytest.mark.train
def test_inception_is_a_torchscript_file(photo: np.ndarray, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")

    class Stand(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())

        def forward(self, x):  # TorchScript reads annotations
            return self.layers(x)

    file = tmp_path / "inception-2015-12-05.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.script(Stand()).save(str(file))
    features = standard.Inception(file).features(photo)
    assert features == pytest.approx((photo.reshape(-1, 3).mean(axis=0) - 128) / 128, abs=0.01)
