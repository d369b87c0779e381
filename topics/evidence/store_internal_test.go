// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/msp"
)

// culprit makes an identity of an organization.
func culprit(t *testing.T, org string) *msp.Identity {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	id, err := msp.NewSigningIdentity(org, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), key)
	require.NoError(t, err)
	return id.Identity
}

// TestStoreAtItsLimits: as many findings are kept as the table says; one more of the same kind is not, one of another is.
func TestStoreAtItsLimits(t *testing.T) {
	one := culprit(t, "Org0")
	nobody := func(int) []*msp.Identity { return nil }
	of := func(org func(i int) string) func(int) []*msp.Identity {
		return func(i int) []*msp.Identity { return []*msp.Identity{culprit(t, org(i))} }
	}
	for name, c := range map[string]struct {
		culprits func(i int) []*msp.Identity
		size     int // of each proof
		most     int
		full     bool // nobody's are kept any more
	}{
		"MaxFindings":        {of(func(i int) string { return fmt.Sprint("Org", i) }), 1, MaxFindings, true},
		"MaxByOrg":           {of(func(int) string { return "Org0" }), 1, MaxByOrg, false},
		"MaxByOne":           {func(int) []*msp.Identity { return []*msp.Identity{one} }, 1, MaxByOne, false},
		"MaxByOne of nobody": {nobody, 1, MaxByOne, false},
		"MaxBytes":           {of(func(i int) string { return fmt.Sprint("Org", i) }), MaxProof, MaxBytes / MaxProof, true},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := OpenStore("", nil, nil)
			require.NoError(t, err)
			add := func(name string, culprits []*msp.Identity) bool {
				kept, err := s.Add(&Finding{ID: name, Culprits: culprits, Proof: &Proof{raw: make([]byte, c.size)}})
				require.NoError(t, err)
				return kept
			}
			for i := range c.most {
				require.True(t, add(fmt.Sprint(i), c.culprits(i)), "finding %d", i)
			}
			require.False(t, add("one more", c.culprits(c.most)))
			require.Equal(t, !c.full, add("another", []*msp.Identity{culprit(t, "Other")}))
		})
	}
}
