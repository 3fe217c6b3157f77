"""Every setting of the service, written once: the command line, the environment and the docs are derived from here."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import platformdirs
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

Switch = Literal["auto", "on", "off"]
LOCAL_HOSTS = ("127.0.0.1", "::1", "localhost")


def data_folder() -> Path:
    """Where a service keeps its database and pictures unless told otherwise."""
    return Path(platformdirs.user_data_dir("vestiary", appauthor=False)) / "service"


class Settings(BaseSettings):
    """Settings of the service; each can also come from the environment, as `VESTIARY_` and its name in capitals."""

    model_config = SettingsConfigDict(env_prefix="VESTIARY_", extra="forbid", frozen=True)

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port of HTTP and WebSocket; 0 takes a free one.")
    grpc_port: int | None = Field(None, ge=0, le=65535, description="Port of gRPC; none unless given.")
    grpc_certificate: Path | None = Field(
        None, description="PEM file: the certificate for gRPC over TLS, then those that signed it."
    )
    grpc_key: Path | None = Field(None, description="PEM file: the private key of that certificate.")
    studio: bool = Field(False, description="Serve the studio's page at /.")

    database: str = Field(
        "",
        description="Its URL: sqlite:////folder/file.db or postgresql://user:password@host/name."
        "  [default: SQLite in the user's data folder]",
    )
    storage: str = Field(
        "",
        description="Folder or URL (s3://bucket/folder) for pictures.  [default: the user's data folder]",
    )
    redis: str = Field("", description="URL of a Redis in which all processes count requests together.")
    ray: str = Field("", description="Ray cluster whose replicas make the fittings: auto, or HOST:PORT.")
    keep_hours: float = Field(24.0, gt=0, le=24 * 366, description="How long photos are kept unless asked otherwise.")
    longest_keep_hours: float = Field(24.0 * 30, gt=0, le=24 * 366, description="The longest that may be asked for.")
    anonymize: bool = Field(False, description="Hide faces in what is stored.")

    workers: int = Field(2, ge=0, le=64, description="Fittings at a time; 0 only accepts work, for other hosts to do.")
    processes: int = Field(
        1, ge=1, le=64, description="Processes that share the workers, so that each uses a core of its own."
    )
    queue_size: int = Field(
        64, ge=1, description="Fittings that may wait; who asks for more is told when to come back (429)."
    )
    batch_size: int = Field(4, ge=1, le=64, description="Fittings that a worker does at once, where the engine can.")
    batch_wait_ms: float = Field(5.0, ge=0, le=1000, description="How long a fitting waits for others to join it.")
    cache_mb: int = Field(512, ge=0, description="Megabytes of memory for prepared people and garments.")
    quick_seconds: float = Field(
        10.0, ge=0, description="How long a request waits for its picture, unless it says so itself."
    )
    drain_seconds: float = Field(20.0, ge=0, description="How long a stop waits for fittings that have begun.")

    max_upload_mb: float = Field(20.0, gt=0, description="Megabytes of the largest upload.")
    upload_seconds: float = Field(120.0, gt=0, description="How long an upload may take.")
    max_pixels: int = Field(24_000_000, ge=4096, description="Pixels of the largest picture.")
    keys: Switch = Field("auto", description="Whether callers need a key; auto: unless bound to this machine only.")
    rate_per_minute: int = Field(
        240, ge=1, description="Requests that one caller may make; a key may have its own rate."
    )
    cors_origins: tuple[str, ...] = Field(
        (), description="Web site whose pages may call the service, as https://shop.example; once for each."
    )
    url_hosts: tuple[str, ...] = Field(
        (),
        description="Host from which pictures may be fetched, or its private network (10.0.0.0/8); once for each.",
    )

    nudity: Switch = Field("auto", description="Refuse nude pictures; auto: unless bound to this machine only.")
    watermark: bool = Field(True, description="Put an invisible watermark into fitted pictures.")
    signing_key: Path | None = Field(
        None, description="PEM file: a private key (ES256) that signs pictures (C2PA content credentials)."
    )
    signing_certificate: Path | None = Field(
        None, description="PEM file: the certificate of that key, then those that signed it."
    )

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the service."""
        return self.host in LOCAL_HOSTS

    @property
    def needs_keys(self) -> bool:
        """Whether a caller must show a key."""
        return self.keys == "on" or (self.keys == "auto" and not self.is_local)

    @property
    def checks_nudity(self) -> bool:
        """Whether pictures are checked before they are taken in and before they go out."""
        return self.nudity == "on" or (self.nudity == "auto" and not self.is_local)

    @property
    def signs(self) -> bool:
        """Whether fitted pictures get content credentials."""
        return self.signing_key is not None and self.signing_certificate is not None

    @property
    def database_url(self) -> str:
        """The database that is meant."""
        return self.database or f"sqlite:///{data_folder() / 'vestiary.db'}"

    @property
    def storage_url(self) -> str:
        """The folder or bucket that is meant."""
        return self.storage or str(data_folder() / "pictures")
