// SPDX-License-Identifier: Apache-2.0

package deliver

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"math"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/weft-p2p/weft/msp"
)

// nonceSize is Fabric's: 24 random bytes make each request another one.
const nonceSize = 24

// request returns the signed envelope that asks for every block, or header, from a number on.
func request(channel string, from uint64, content orderer.SeekInfo_SeekContentType, signer *msp.SigningIdentity, clientCert *tls.Certificate, now time.Time) (*common.Envelope, error) {
	if signer == nil {
		return nil, fmt.Errorf("%w: no signing identity", ErrSigner)
	}
	header, err := seekHeader(channel, signer, clientCert, now)
	if err != nil {
		return nil, err
	}
	info, err := proto.Marshal(&orderer.SeekInfo{
		Start:       position(from),
		Stop:        position(math.MaxUint64),
		Behavior:    orderer.SeekInfo_BLOCK_UNTIL_READY,
		ContentType: content,
	})
	if err != nil {
		return nil, err
	}
	payload, err := proto.Marshal(&common.Payload{Header: header, Data: info})
	if err != nil {
		return nil, err
	}
	signature, err := signer.Sign(payload)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSigner, err)
	}
	return &common.Envelope{Payload: payload, Signature: signature}, nil
}

func seekHeader(channel string, signer *msp.SigningIdentity, clientCert *tls.Certificate, now time.Time) (*common.Header, error) {
	channelHeader, err := proto.Marshal(&common.ChannelHeader{
		Type:        int32(common.HeaderType_DELIVER_SEEK_INFO),
		ChannelId:   channel,
		Timestamp:   timestamppb.New(now),
		TlsCertHash: binding(clientCert),
	})
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, nonceSize)
	_, _ = rand.Read(nonce) // never fails
	signatureHeader, err := proto.Marshal(&common.SignatureHeader{Creator: signer.Serialize(), Nonce: nonce})
	if err != nil {
		return nil, err
	}
	return &common.Header{ChannelHeader: channelHeader, SignatureHeader: signatureHeader}, nil
}

// binding ties the request to the TLS connection: Fabric's rule is SHA-256 of the DER of the client's TLS certificate.
func binding(cert *tls.Certificate) []byte {
	if cert == nil || len(cert.Certificate) == 0 {
		return nil
	}
	hash := sha256.Sum256(cert.Certificate[0])
	return hash[:]
}

func position(number uint64) *orderer.SeekPosition {
	return &orderer.SeekPosition{Type: &orderer.SeekPosition_Specified{Specified: &orderer.SeekSpecified{Number: number}}}
}
