"""Where onnxruntime computes."""

import pytest

from flatsort.tracker.onnx_session import providers


def test_provider_follows_the_device() -> None:
    cpu, cuda = "CPUExecutionProvider", "CUDAExecutionProvider"
    assert providers("auto", [cuda, cpu]) == [cuda, cpu]
    assert providers("cuda", [cuda, cpu]) == [cuda, cpu]
    assert providers("cpu", [cuda, cpu]) == [cpu]
    assert providers("auto", ["AzureExecutionProvider", cpu]) == [cpu]
    with pytest.raises(ValueError, match=r"runs on CPUExecutionProvider only; pip install flatsort\[onnx-gpu\]"):
        providers("cuda", [cpu])


def test_other_providers() -> None:
    cpu, cuda, tensorrt = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"
    assert providers("tensorrt", [tensorrt, cuda, cpu]) == [tensorrt, cuda, cpu]
    assert providers("auto", [tensorrt, cuda, cpu]) == [cuda, cpu]
    assert providers("openvino", ["OpenVINOExecutionProvider", cpu]) == ["OpenVINOExecutionProvider", cpu]
    assert providers("directml", ["DmlExecutionProvider", cpu]) == ["DmlExecutionProvider", cpu]
    with pytest.raises(ValueError, match=r"detector\.device openvino: .*; pip install onnxruntime-openvino, or take"):
        providers("openvino", [cpu])
    with pytest.raises(ValueError, match=r"detector\.device coreml: .* runs on CPUExecutionProvider only; take device"):
        providers("coreml", [cpu])
