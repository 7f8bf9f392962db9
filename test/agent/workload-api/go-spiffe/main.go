// A program of somebody else's, built on go-spiffe: gets its identity from Weft's Workload API, speaks mTLS with Weft's
// own verifier on the other side, both ways round, and notices when its SVID is renewed.
//
// Usage: go run . SOCKET ADDRESS PEER-ID. Prints a line of JSON for each thing that came to pass; ends after a renewal.
package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
)

func main() {
	if err := run(os.Args[1], os.Args[2], spiffeid.RequireFromString(os.Args[3])); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(socket string, address string, peer spiffeid.ID) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	api := workloadapi.WithAddr("unix://" + socket)
	source, err := workloadapi.NewX509Source(ctx, workloadapi.WithClientOptions(api))
	if err != nil {
		return fmt.Errorf("no SVID: %w", err)
	}
	defer source.Close()
	own, err := source.GetX509SVID()
	if err != nil {
		return err
	}
	bundles, err := workloadapi.FetchX509Bundles(ctx, api)
	if err != nil {
		return fmt.Errorf("no bundle: %w", err)
	}
	if err := verify(own, bundles); err != nil {
		return err
	}
	say("svid", own.ID.String())
	_, err = workloadapi.FetchJWTBundles(ctx, api)
	say("jwt", fmt.Sprint(err))

	if err := dial(address, source, peer); err != nil {
		return err
	}
	if err := serve(source, peer); err != nil {
		return err
	}
	return renewal(ctx, source, own)
}

func verify(own *x509svid.SVID, bundles *x509bundle.Set) error {
	_, _, err := x509svid.Verify(own.Certificates, bundles)
	return err
}

// dial speaks with Weft's verifier as the server, which answers with the identity it saw.
func dial(address string, source *workloadapi.X509Source, peer spiffeid.ID) error {
	conn, err := tls.Dial("tcp", address, tlsconfig.MTLSClientConfig(source, source, tlsconfig.AuthorizeID(peer)))
	if err != nil {
		return fmt.Errorf("dial: %w", err)
	}
	defer conn.Close()
	seen, err := io.ReadAll(conn)
	if err != nil {
		return fmt.Errorf("dial: %w", err)
	}
	say("dialled", string(seen))
	return nil
}

// serve speaks with Weft's verifier as the client, once.
func serve(source *workloadapi.X509Source, peer spiffeid.ID) error {
	config := tlsconfig.MTLSServerConfig(source, source, tlsconfig.AuthorizeID(peer))
	listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		return err
	}
	defer listener.Close()
	say("listening", listener.Addr().String())
	conn, err := listener.Accept()
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.(*tls.Conn).Handshake(); err != nil {
		return fmt.Errorf("accept: %w", err)
	}
	id, err := x509svid.IDFromCert(conn.(*tls.Conn).ConnectionState().PeerCertificates[0])
	if err != nil {
		return err
	}
	_, err = io.WriteString(conn, id.String())
	say("accepted", id.String())
	return err
}

func renewal(ctx context.Context, source *workloadapi.X509Source, before *x509svid.SVID) error {
	say("waiting", "for another SVID")
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("no other SVID came: %w", ctx.Err())
		case <-source.Updated():
		}
		now, err := source.GetX509SVID()
		if err != nil {
			return err
		}
		if now.Certificates[0].SerialNumber.Cmp(before.Certificates[0].SerialNumber) != 0 {
			say("renewed", now.ID.String())
			return nil
		}
	}
}

func say(what string, value string) {
	_ = json.NewEncoder(os.Stdout).Encode(map[string]string{"what": what, "value": value})
}
