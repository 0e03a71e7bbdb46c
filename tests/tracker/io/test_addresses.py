"""Nothing of a user name, password or token in an address is shown or names a result."""

from __future__ import annotations

import itertools

import pytest

from flatsort.tracker.io.addresses import hide_secrets, shown, stream_name


@pytest.mark.parametrize(
    ("address", "name", "text"),
    [
        ("rtsp://10.0.0.5:554/h264/ch1", "10.0.0.5_554_h264_ch1", "rtsp://10.0.0.5:554/h264/ch1"),
        ("rtsp://boss:topsy@10.0.0.5/s1", "10.0.0.5_s1", "rtsp://***@10.0.0.5/s1"),
        ("RTSP://boss:topsy@cam.local", "cam.local", "RTSP://***@cam.local"),
        ("http://cam/video.cgi?usr=boss&pwd=topsy", "cam_video.cgi", "http://cam/video.cgi"),
        ("rtsp://cam/user=boss&password=topsy&channel=3&stream=0.sdp", "cam_channel_3_stream_0.sdp", None),
        ("rtsp://cam/realmonitor?channel=2&subtype=main", "cam_realmonitor_channel_2_subtype_main", None),
        ("http://cam/x?mail=boss@example.org&pwd=topsy", "cam_x", None),
        ("http://[fe80::1%25eth0]:80/a?token=topsy", "fe80_1_25eth0_80_a", "http://[fe80::1%25eth0]:80/a"),
        ("http://tv:8080/live/boss/topsy/12.ts", "tv_8080_live_12.ts", None),
        ("rtsp://nvr/Streaming/Channels/101?transportmode=unicast", "nvr_Streaming_Channels_101", None),
        ("rtsp://boss:topsy@nvr/h264Preview_01_main", "nvr_h264Preview_01_main", None),
        ("rtsp:///", "stream", None),
    ],
)
def test_names_and_texts(address: str, name: str, text: str | None) -> None:
    assert stream_name(address) == name
    assert shown(address) == text or text is None
    assert not any(secret in stream_name(address) + shown(address) for secret in ("boss", "topsy"))


@pytest.mark.parametrize("place", ["@10.0.0.5/s1", "@cam:554/s1?channel=1", "@[::1]/s1"])
def test_a_password_may_hold_any_characters(place: str) -> None:
    for marks in itertools.product("@/:?#%& ", repeat=2):
        address = f"rtsp://boss:top{marks[0]}sy{marks[1]}turvy{place}"
        for text in (shown(address), stream_name(address)):
            assert not any(part in text for part in ("boss", "top", "sy", "turvy")), (address, text)


def test_channels_of_one_recorder_have_names_of_their_own() -> None:
    names = {stream_name(f"rtsp://nvr/live?{key}={n}") for key in ("channel", "ch", "trackID", "cam") for n in (1, 2)}
    assert len(names) == 8


def test_a_token_in_the_path_is_a_digest() -> None:
    first, second = (f"rtsps://nvr:7441/{token}?enableSrtp" for token in ("aBcDeFgH12345678", "aBcDeFgH12345679"))
    assert "aBcDeF" not in stream_name(first) + shown(first)
    assert stream_name(first) != stream_name(second)


def test_what_is_no_address_stays_but_for_a_login() -> None:
    assert shown("videos/street 1.mp4") == "videos/street 1.mp4"
    assert shown("boss:topsy@cam/s1") == "***@cam/s1"
    assert shown("rstp:/boss:topsy@cam/s1") == "rstp:/***@cam/s1"


def test_addresses_inside_of_a_message() -> None:
    message = "interrupted in http://boss:topsy@cam/x: see rtsp://boss:topsy@cam/y."
    assert hide_secrets(message) == "interrupted in http://***@cam/x: see rtsp://***@cam/y."
    assert hide_secrets("nothing: to hide in a/b.mp4") == "nothing: to hide in a/b.mp4"
