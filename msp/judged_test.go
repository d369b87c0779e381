// SPDX-License-Identifier: Apache-2.0

package msp_test

import (
	"compress/gzip"
	"encoding/json"
	"os"
	"testing"

	mspproto "github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/msp"
)

// TestPrincipalsAsFabric compares configurations, identities and principals with the verdicts of Fabric's own MSP.
func TestPrincipalsAsFabric(t *testing.T) {
	table := judgedPrincipals(t)
	principals := make([]*mspproto.MSPPrincipal, len(table.Principals))
	for i, raw := range table.Principals {
		principals[i] = &mspproto.MSPPrincipal{}
		require.NoError(t, proto.Unmarshal(raw, principals[i]))
	}
	refused := 0
	for i, c := range table.MSPs {
		conf := &mspproto.FabricMSPConfig{}
		require.NoError(t, proto.Unmarshal(c.Config, conf))
		m, err := msp.New(conf, msp.Version(c.Version))
		if table.Verdicts[i] == nil {
			refused++
			if err == nil {
				t.Errorf("configuration %d, version %d: Fabric refuses it, we do not", i, c.Version)
			}
			continue
		}
		if err != nil {
			t.Errorf("configuration %d, version %d: Fabric takes it, we say: %v", i, c.Version, err)
			continue
		}
		for j, serialized := range table.Identities {
			got, want := judgeIdentity(m, serialized, principals), table.Verdicts[i][j]
			if got != want {
				t.Errorf("configuration %d, version %d, identity %d:\nFabric: %s\nwe say: %s", i, c.Version, j, want, got)
			}
		}
	}
	require.Positive(t, refused)
}

// judgeIdentity gives our verdict in the form of the table.
func judgeIdentity(m *msp.MSP, serialized []byte, principals []*mspproto.MSPPrincipal) string {
	id, err := msp.ParseCreator(serialized)
	if err != nil || m.Recognizes(id) != nil {
		return "d"
	}
	verdict := []byte("i")
	if m.Validate(id) == nil {
		verdict[0] = 'v'
	}
	for _, p := range principals {
		if m.Satisfies(id, p) == nil {
			verdict = append(verdict, '1')
		} else {
			verdict = append(verdict, '0')
		}
	}
	return string(verdict)
}

func judgedPrincipals(t *testing.T) (table principalTable) {
	f, err := os.Open("testdata/judged/principals.json.gz")
	require.NoError(t, err)
	defer f.Close()
	r, err := gzip.NewReader(f)
	require.NoError(t, err)
	require.NoError(t, json.NewDecoder(r).Decode(&table))
	require.Len(t, table.Verdicts, len(table.MSPs))
	return table
}
