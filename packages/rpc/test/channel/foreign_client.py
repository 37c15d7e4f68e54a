"""A client that knows only what the server tells: lists services by reflection, then calls NodeService.

Usage: foreign_client.py TARGET GENERATED
GENERATED holds what protoc has made of proto/ for Python. Prints one JSON object.
"""

import json
import sys

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

target, generated = sys.argv[1:]
sys.path.insert(0, generated)

from grpc_reflection_v1 import reflection_pb2  # noqa: E402
from polyvisor.node.v1 import node_service_pb2 as node  # noqa: E402

channel = grpc.insecure_channel(target, options=[("grpc.default_authority", "localhost")])


def reflect(version, requests):
    call = channel.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    return list(call(iter(requests), timeout=10))


Ask = reflection_pb2.ServerReflectionRequest
listed = {
    version: sorted(s.name for s in reflect(version, [Ask(list_services="*")])[0].list_services_response.service)
    for version in ("v1", "v1alpha")
}

# The files by reflection, and a call with nothing but what they say.
answer, missing = reflect(
    "v1",
    [Ask(file_containing_symbol="polyvisor.node.v1.NodeService"), Ask(file_containing_symbol="no.such.Thing")],
)
pool = descriptor_pool.DescriptorPool()
for blob in answer.file_descriptor_response.file_descriptor_proto:
    pool.Add(descriptor_pb2.FileDescriptorProto.FromString(blob))
method = pool.FindServiceByName("polyvisor.node.v1.NodeService").FindMethodByName("GetNode")
factory = message_factory.MessageFactory(pool)
dynamic = channel.unary_unary(
    "/polyvisor.node.v1.NodeService/GetNode",
    request_serializer=lambda message: message.SerializeToString(),
    response_deserializer=factory.GetPrototype(method.output_type).FromString,
)(factory.GetPrototype(method.input_type)(), timeout=10)

# The same with code that protoc has generated, and an error.
def unary(name, response):
    return channel.unary_unary(
        f"/polyvisor.node.v1.NodeService/{name}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=response.FromString,
    )


static = unary("GetNode", node.GetNodeResponse)(node.GetNodeRequest(), timeout=10)
try:
    unary("GetVm", node.GetVmResponse)(node.GetVmRequest(vm="nobody"), timeout=10)
    failure = None
except grpc.RpcError as error:
    failure = [error.code().name, error.details()]

# A console: both ways, in one stream.
console = channel.stream_stream(
    "/polyvisor.node.v1.NodeService/Console",
    request_serializer=lambda message: message.SerializeToString(),
    response_deserializer=node.ConsoleResponse.FromString,
)(iter([node.ConsoleRequest(vm="a", input=b"hello")]), timeout=10)
output = b"".join(response.output for response in console).decode()

print(
    json.dumps(
        {
            "listed": listed,
            "missing": missing.error_response.error_code,
            "dynamic": [dynamic.name, dynamic.memory_bytes, dict(dynamic.mechanisms)],
            "static": [static.name, static.memory_bytes, dict(static.mechanisms)],
            "failure": failure,
            "output": output,
        }
    )
)
