"""The model over several processes: each has it whole (DDP), or a part of every matrix (FSDP2)."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method
from torch.nn.parallel import DistributedDataParallel

from train.config.tables import PretrainConfig
from train.joint.joint_model import JointModel
from train.loop.distributed import Processes
from train.objectives.objective import Batch


class Parallel:
    """joint: the model itself, whose parameters are parts of the whole under FSDP2."""

    def __init__(self, joint: JointModel, config: PretrainConfig, processes: Processes) -> None:
        self.joint = joint
        compiled = config.run.compile == "on" or (config.run.compile == "auto" and processes.device.type == "cuda")
        if compiled:
            # Kinds of layers, with and without gradients; beyond the limit a layer would go on uncompiled, unsaid.
            torch._dynamo.config.recompile_limit = 64
            # Layer by layer, all of one shape: compiled once, and sharding and checkpointing stay outside.
            for layer in joint.model.model.layers:
                layer.compile(dynamic=False)
        self.module: nn.Module = joint
        self.sharded = processes.control is not None and config.run.parallel == "fsdp"
        if self.sharded:
            mesh = init_device_mesh(processes.device.type, (processes.world_size,))
            for layer in joint.model.model.layers:
                fully_shard(layer, mesh=mesh)
                register_fsdp_forward_method(layer, "queries_keys_values")  # what objectives ask besides
            fully_shard(joint, mesh=mesh)
        elif processes.control is not None:
            self.module = DistributedDataParallel(joint, gradient_as_bucket_view=True)

    def forward(self, batch: Batch, weights: Mapping[str, Tensor], last: bool) -> tuple[Tensor, dict[str, Tensor]]:
        """last: the processes' gradients are brought together in this batch's backward pass."""
        if isinstance(self.module, DistributedDataParallel):
            self.module.require_backward_grad_sync = last
        elif isinstance(self.module, FSDPModule):
            self.module.set_requires_gradient_sync(last)
        found = self.module(batch, weights)
        return found[0], found[1]
