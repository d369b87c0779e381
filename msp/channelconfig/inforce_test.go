// SPDX-License-Identifier: Apache-2.0

package channelconfig_test

import (
	"errors"
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/blocktest"
	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

// TestInForceAtAnyNumber: two configurations in a row, and blocks between.
func TestInForceAtAnyNumber(t *testing.T) {
	c := blocktest.New(t)
	c.Grow(t, 2, 100)
	c.Configure(t, devnet.SetAnchors("Org1", "a.example.com:7051"))
	c.Configure(t, devnet.SetAnchors("Org1", "b.example.com:7051"))
	c.Grow(t, 2, 100)
	read := func(n uint64) (*common.Block, error) { return c.Blocks[n], nil }
	for number, want := range map[uint64]uint64{1: 0, 2: 0, 3: 0, 4: 3, 5: 4, 6: 4, 7: 4} {
		b, err := channelconfig.InForce(number, read)
		require.NoError(t, err)
		require.Equal(t, want, b.Number(), "configuration that judges block %d", number)
	}
}

func TestInForceRefuses(t *testing.T) {
	c := blocktest.New(t)
	c.Grow(t, 3, 100)
	broken := errors.New("the disk is on fire")
	ahead := c.Next(t, 100)
	c.Sign(t, ahead, 9)
	plain := c.Next(t, 100)
	c.Sign(t, plain, 2)
	for name, test := range map[string]struct {
		number uint64
		read   func(uint64) (*common.Block, error)
		want   error
	}{
		"block 0":                      {0, nil, channelconfig.ErrNumber},
		"what cannot be read":          {2, func(uint64) (*common.Block, error) { return nil, broken }, broken},
		"another block":                {2, func(uint64) (*common.Block, error) { return c.Blocks[3], nil }, channelconfig.ErrNumber},
		"no block":                     {2, func(uint64) (*common.Block, error) { return nil, nil }, channelconfig.ErrNumber},
		"a configuration ahead":        {5, func(uint64) (*common.Block, error) { return ahead, nil }, channelconfig.ErrMetadata},
		"a configuration that is none": {5, func(n uint64) (*common.Block, error) { return append(c.Blocks, plain)[n], nil }, channelconfig.ErrNotConfig},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := channelconfig.InForce(test.number, test.read)
			require.ErrorIs(t, err, test.want)
		})
	}
}
