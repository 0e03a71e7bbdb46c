#!/usr/bin/env bash
# 2026-11-27, torch 2.14.1 (CPU), Python 3.11.
# Guess: what torch.func.jvp computes eagerly, torch.compile(fullgraph=True) traces as well.
# Seen:  true of linear layers and InstanceNorm; GroupNorm, LayerNorm and BatchNorm raise Unsupported ("Observed exception"),
#        although the same jvp runs eagerly and is right. Penalties on a decoder's Jacobian by forward mode have to stay
#        outside of compilation (torch.compiler.disable).
# Output seen:
#   linear: traced
#   GroupNorm: Unsupported
#   LayerNorm: Unsupported
#   BatchNorm: Unsupported
#   InstanceNorm: traced
# Fails if that changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet torch==2.14.1 2> /dev/null
cat > "$work/check.py" <<'PY'
import torch
from torch import nn
from torch.func import jvp

torch.manual_seed(0)
layers = {
    "linear": nn.Identity(),
    "GroupNorm": nn.GroupNorm(2, 8),
    "LayerNorm": nn.LayerNorm(8),
    "BatchNorm": nn.BatchNorm1d(8).eval(),
    "InstanceNorm": nn.Sequential(nn.Unflatten(1, (2, 4)), nn.InstanceNorm1d(2)),
}
for name, layer in layers.items():
    net = nn.Sequential(nn.Linear(4, 8), layer)
    point, direction = torch.randn(3, 4), torch.randn(3, 4)

    def product(z, v):
        return jvp(net, (z,), (v,))[1]

    eager = product(point, direction)
    step = 1e-3
    difference = (net(point + step * direction) - net(point - step * direction)) / (2 * step)
    assert torch.allclose(eager, difference, atol=1e-2), f"{name}: eager forward mode is wrong"
    torch._dynamo.reset()
    try:
        compiled = torch.compile(product, backend="eager", fullgraph=True)(point, direction)
        assert torch.allclose(compiled, eager)
        print(f"{name}: traced")
    except torch._dynamo.exc.Unsupported:
        print(f"{name}: Unsupported")
PY
"$work/venv/bin/python" -W ignore "$work/check.py" 2> /dev/null | tee "$work/seen"
diff "$work/seen" - <<'EXPECTED'
linear: traced
GroupNorm: Unsupported
LayerNorm: Unsupported
BatchNorm: Unsupported
InstanceNorm: traced
EXPECTED
