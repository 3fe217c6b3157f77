"""A Ray cluster as an operator starts it: replicas behind the service, batches, deaths, and a catalogue."""

from __future__ import annotations

import os
import signal
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Ray Serve's own, at its import
    pytest.importorskip("ray.serve", reason="needs the ray extra")
os.environ.setdefault("RAY_AUTH_MODE", "disabled")
os.environ.setdefault("RAY_ENABLE_AUTO_CONNECT", "0")

from cluster_rooms import Cluster, running
from conftest import lying, standing
from service_rooms import rooms, settings_of

from vestiary import load_engine, read_garment, samples, scan_person, values
from vestiary.cluster.catalogue import fit_catalogue
from vestiary.cluster.remote import RayEngine
from vestiary.cluster.replica import ReplicaConfig
from vestiary.errors import Cancelled, EngineError, GarmentError, UnavailableError
from vestiary.serve.service import Service
from vestiary.types import Garment, Person

pytestmark = [pytest.mark.cluster, pytest.mark.filterwarnings("ignore")]  # Ray's own warnings
ROOT = Path(__file__).parents[1]
DEPLOYED = ROOT / "deploy/ray-serve.yaml"
BATCHING = """
proxy_location: Disabled
applications:
  - name: vestiary-embedded
    import_path: vestiary.cluster.replica:app
    route_prefix: null
    args: {engine: embedded}
    deployments:
      - {name: Replica, num_replicas: 1, max_ongoing_requests: 2, ray_actor_options: {num_cpus: 0.5}, user_config: {}}
  - name: vestiary-many
    import_path: cluster_rooms:many
    route_prefix: null
    args: {engine: many}
    deployments:
      - name: Replica
        num_replicas: 1
        max_ongoing_requests: 16
        ray_actor_options: {num_cpus: 0.5}
        user_config: {batch_size: 4, batch_wait_ms: 300}
"""


def joined(name: str, cluster: Cluster) -> RayEngine:
    """The engine, as soon as its application runs."""
    end = time.monotonic() + 300
    while True:
        try:
            return RayEngine(name, cluster.address)
        except UnavailableError:
            assert time.monotonic() < end
            time.sleep(0.5)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    import ray
    from ray import serve

    with running() as made:
        made.deploy(DEPLOYED)
        joined("embedded", made)
        yield made
        serve.shutdown()
        ray.shutdown()


@pytest.fixture(scope="module")
def engine(cluster: Cluster) -> RayEngine:
    return joined("embedded", cluster)


@pytest.fixture(scope="module")
def mira() -> Person:
    return scan_person(samples.people()["mira"])


@pytest.fixture(scope="module")
def tee() -> Garment:
    return read_garment(samples.garments()["tee_white"])


def test_the_deployment_file_says_what_the_code_takes() -> None:
    import yaml
    from ray.serve.schema import ServeDeploySchema

    (application,) = ServeDeploySchema.model_validate(yaml.safe_load(DEPLOYED.read_text())).applications
    (deployment,) = application.deployments
    assert application.name == "vestiary-embedded"
    assert ReplicaConfig.model_validate(deployment.user_config).cache_mb > 0
    assert set(deployment.user_config) == set(ReplicaConfig.model_fields)


def test_a_replica_makes_the_same_picture(engine: RayEngine, mira: Person, tee: Garment) -> None:
    options = engine.Options(tuck=True)  # type: ignore[call-arg]
    sent = engine.prepare(mira)
    told: list[str] = []
    far = engine.fit(sent, [tee], options, lambda step, total, name, preview: told.append(name))
    local = load_engine("embedded")
    near = local.fit(local.prepare(mira), [tee], options)
    assert (far.image == near.image).all()
    assert far.provenance == near.provenance
    assert "body" in near.timings
    assert "body" not in far.timings, "the person's own steps are not counted to each fitting"
    again = engine.fit(sent, [tee], options)
    assert (again.image == near.image).all()
    with pytest.raises(GarmentError, match="cannot be worn together"):
        engine.fit(sent, [tee, tee], options)


def test_the_service_sends_its_fittings_to_replicas(cluster: Cluster, engine: RayEngine, tmp_path: Path) -> None:
    service = Service(settings_of(tmp_path, ray=cluster.address, workers=2))
    service.start()
    try:
        person = service.add_person("me", samples.people()["mira"].read_bytes()).id
        garments = [service.add_garment("me", samples.garments()["tee_white"].read_bytes()).id]
        ids = [service.add_fitting("me", person, garments).id for _ in range(3)]
        records = [service.wait("me", id, 240) for id in ids]
        assert [record.state for record in records] == ["done"] * 3
        assert service.fitting_picture("me", ids[0]).shape == (1024, 768, 3)
        assert all(service.is_ready().values())
    finally:
        service.close()


def test_a_catalogue_is_streamed_over_actors(cluster: Cluster, tmp_path: Path) -> None:
    person, garments = samples.people()["mira"], ("tee_white", "skirt_pleated", "jeans_blue")
    rows = [f"{person},{samples.garments()[name]}" for name in garments]
    table = tmp_path / "pairs.csv"
    table.write_text("\n".join(["person,garment", *rows, f"{person},{tmp_path}/none.jpg"]))
    first = fit_catalogue(table, str(tmp_path / "out"), engine="paste", address=cluster.address)
    assert (first.done, first.failed, first.prepared) == (3, 1, 1)
    assert len(list((tmp_path / "out/pictures").rglob("*.jpg"))) == 3
    again = fit_catalogue(table, str(tmp_path / "out"), engine="paste", address=cluster.address)
    assert (again.skipped, again.done) == (4, 0)


@pytest.fixture(scope="module")
def many(cluster: Cluster, engine: RayEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayEngine]:
    """An application whose engine does several fittings at once; deployed beside the other one."""
    config = tmp_path_factory.mktemp("deploy") / "many.yaml"
    config.write_text(BATCHING)
    cluster.deploy(config)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vestiary.registry.list_engines", rooms)
        yield joined("many", cluster)


def small() -> tuple[Person, Garment]:
    pixels = np.random.default_rng(1).integers(30, 255, (160, 120, 3), np.uint8)
    return standing(pixels), lying(pixels)


def at_once(engine: RayEngine, seconds: list[float]) -> list[Any]:
    """Fittings that are asked for together: each one's picture or error."""
    person, garment = small()
    sent, answers = engine.prepare(person), {}

    def fit(place: int) -> None:
        options = engine.Options(seconds=seconds[place])  # type: ignore[call-arg]
        try:
            answers[place] = engine.fit(sent, [garment], options)
        except Exception as problem:
            answers[place] = problem

    threads = [threading.Thread(target=fit, args=(place,)) for place in range(len(seconds))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(240)
    return [answers[place] for place in range(len(seconds))]


def test_what_comes_together_is_batched_and_one_failure_spoils_no_other(many: RayEngine) -> None:
    answers = at_once(many, [0.1, 0.1, 9.0, 0.1])
    assert isinstance(answers[2], EngineError)
    assert all(answer.mask.any() for place, answer in enumerate(answers) if place != 2)
    assert len(many_sizes(many)) < 4, "fewer batches than fittings"


def many_sizes(engine: RayEngine) -> list[int]:
    """How many fittings the engine got at once, so far."""
    sizes: list[int] = engine._handle.sizes.remote().result(timeout_s=120)
    return sizes


def test_who_cancels_hears_so_at_once(engine: RayEngine, mira: Person, tee: Garment) -> None:
    sent = engine.prepare(mira)
    first = threading.Thread(target=lambda: [engine.fit(sent, [tee], engine.Options()) for _ in range(3)])
    first.start()
    with pytest.raises(Cancelled):
        fit_until_cancelled(engine, sent, tee)
    first.join()


def fit_until_cancelled(engine: RayEngine, sent: Any, garment: Garment) -> None:
    """A fitting that is done within the first look cannot be cancelled: then again, behind others."""
    for _ in range(50):
        engine.fit(sent, [garment], engine.Options(), lambda *_: False)


def test_a_fitting_whose_replica_is_killed_is_done_by_the_next(many: RayEngine, mira: Person, tee: Garment) -> None:
    engine = many
    person, garment = small()
    pid = engine._handle.pid.remote().result(timeout_s=120)
    os.kill(pid, signal.SIGKILL)
    fitting = engine.fit(engine.prepare(person), [garment], engine.Options())
    assert values.dump_fitting(fitting)
    assert engine._handle.pid.remote().result(timeout_s=120) != pid


def test_what_the_cluster_does_not_run_is_told(cluster: Cluster, engine: RayEngine) -> None:
    with pytest.raises(UnavailableError, match="vestiary-paste"):
        RayEngine("paste", cluster.address)
