// Package calling assigns leads.
package calling

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	_ "embed"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	pb "example.com/board/ownership"
)

//go:embed service_config.json
var serviceConfig string

// Connect returns a client of every replica that the target names. Make it once and share it: it has all connections.
func Connect(target, directory string) (pb.OwnershipServiceClient, error) {
	file := func(name string) string { return filepath.Join(directory, name) }
	// Read once: make a new client, and close the old one, when the file changes.
	ca, err := os.ReadFile(file("ca.crt"))
	if err != nil {
		return nil, err
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(ca)
	// Read for each connection, since certificates are renewed.
	certificate := func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(file("tls.crt"), file("tls.key"))
		return &pair, err
	}
	channel, err := grpc.NewClient(target,
		grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: trusted, GetClientCertificate: certificate})),
		// Instead of a certificate: grpc.WithPerRPCCredentials, with the token as "authorization".
		grpc.WithDefaultServiceConfig(serviceConfig),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 30 * time.Second}),
	)
	if err != nil {
		return nil, err
	}
	return pb.NewOwnershipServiceClient(channel), nil
}

// Assign makes a member the owner of a lead, once, however often the channel has to send the request.
func Assign(ctx context.Context, service pb.OwnershipServiceClient, account, lead, owner string) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	answer, err := service.Assign(ctx, &pb.AssignRequest{
		AccountId: account,
		LeadId:    lead,
		OwnerId:   owner,
		Context:   &pb.WriteContext{RequestId: uuid.NewString(), Reason: "by hand"},
	})
	return answer.GetRevision(), err
}

// Refusal says why a call was refused: the reason and what belongs to it, and what is wrong with which field.
func Refusal(err error) (info *errdetails.ErrorInfo, bad *errdetails.BadRequest) {
	for _, detail := range status.Convert(err).Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			info = detail
		case *errdetails.BadRequest:
			bad = detail
		}
	}
	return info, bad
}
