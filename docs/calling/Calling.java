import static java.util.concurrent.TimeUnit.SECONDS;

import com.google.gson.Gson;
import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import io.grpc.Grpc;
import io.grpc.StatusRuntimeException;
import io.grpc.TlsChannelCredentials;
import io.grpc.protobuf.StatusProto;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.UUID;
import leadflip.ownership.v1.OwnershipOuterClass.WriteContext;
import leadflip.ownership.v1.OwnershipServiceGrpc;
import leadflip.ownership.v1.OwnershipServiceGrpc.OwnershipServiceBlockingStub;
import leadflip.ownership.v1.OwnershipServiceOuterClass.AssignRequest;

final class Calling {
  /** A client of every replica that the target names. Made once and shared: it has all connections. */
  static OwnershipServiceBlockingStub connect(String target, File directory) throws IOException {
    String config = Files.readString(Path.of("service_config.json"));
    // Certificates are read once: make a new channel, and shut the old one down, when their files change.
    var credentials =
        TlsChannelCredentials.newBuilder()
            .trustManager(new File(directory, "ca.crt"))
            // The key is in PKCS#8.
            // Instead of a certificate: withCallCredentials on the stub, with the token as "authorization".
            .keyManager(new File(directory, "tls.crt"), new File(directory, "tls.key"))
            .build();
    @SuppressWarnings("unchecked")
    Map<String, ?> serviceConfig = new Gson().fromJson(config, Map.class);
    return OwnershipServiceGrpc.newBlockingStub(
        Grpc.newChannelBuilder(target, credentials)
            .defaultServiceConfig(serviceConfig)
            .keepAliveTime(30, SECONDS)
            .build());
  }

  /** Makes a member the owner of a lead, once, however often the channel has to send the request. */
  static long assign(OwnershipServiceBlockingStub service, String account, String lead, String owner) {
    var context = WriteContext.newBuilder().setRequestId(UUID.randomUUID().toString()).setReason("by hand");
    var request =
        AssignRequest.newBuilder().setAccountId(account).setLeadId(lead).setOwnerId(owner).setContext(context);
    return service.withDeadlineAfter(5, SECONDS).assign(request.build()).getRevision();
  }

  /** Why a call was refused: the reason and what belongs to it, and what is wrong with which field. */
  static String refusal(StatusRuntimeException error) throws InvalidProtocolBufferException {
    var why = new StringBuilder();
    for (Any detail : StatusProto.fromThrowable(error).getDetailsList()) {
      if (detail.is(ErrorInfo.class)) {
        ErrorInfo info = detail.unpack(ErrorInfo.class);
        why.append(info.getReason()).append(info.getMetadataMap());
      } else if (detail.is(BadRequest.class)) {
        why.append(detail.unpack(BadRequest.class).getFieldViolationsList());
      }
    }
    return why.toString();
  }
}
