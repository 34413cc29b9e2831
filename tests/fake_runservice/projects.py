"""GetProject of the fake ProjectService."""

from __future__ import annotations

from typing import Any

import grpc
from flyteidl2.project.project_service_pb2 import GetProjectRequest, GetProjectResponse

from tests.fake_runservice.model import Model


def handlers(model: Model) -> grpc.GenericRpcHandler:
    async def get_project(request: GetProjectRequest, context: Any) -> GetProjectResponse:
        if model.projects is None:
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, "unknown service")
        domains = model.projects.get(request.id)
        if domains is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, "project not found")
        project = {"id": request.id, "domains": [{"id": domain} for domain in domains]}
        return GetProjectResponse(project=project)

    handler = grpc.unary_unary_rpc_method_handler(
        get_project, GetProjectRequest.FromString, GetProjectResponse.SerializeToString
    )
    return grpc.method_handlers_generic_handler(
        "flyteidl2.project.ProjectService", {"GetProject": handler}
    )
