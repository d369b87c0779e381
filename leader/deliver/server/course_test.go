// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"bytes"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/leader/deliver/server"
)

// Blocks of all sizes reach several clients at a time as they are in the ledger, though the memory that they are read into is used again
// and again.
func TestBlocksOfAllSizes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChain(t, 2)
		random := rand.New(rand.NewPCG(1, 2))
		template, err := c.made.Block(1)
		require.NoError(t, err)
		var all [][]byte
		for number := range uint64(100) {
			data := make([]byte, []int{10, 900, 16 << 10, 70 << 10, 300 << 10}[random.IntN(5)])
			for i := range data {
				data[i] = byte(number + uint64(i))
			}
			all = append(all, encode(&common.Block{
				Header: &common.BlockHeader{Number: number}, Data: &common.BlockData{Data: [][]byte{data}}, Metadata: template.Metadata,
			}))
		}
		c.replace(func(number uint64) ([]byte, error) { return all[number], nil })
		c.set(func(s *server.State) { s.Height = uint64(len(all)) })
		s := serve(t, c, c.config())
		var clients sync.WaitGroup
		for range 3 {
			stream := s.deliver(t)
			clients.Go(func() {
				assert.NoError(t, stream.Send(c.request(seek(oldest(), newest()))))
				for number := range all {
					answer, err := stream.Recv()
					if !assert.NoError(t, err) || !assert.True(t, bytes.Equal(all[number], encode(answer.GetBlock())), "block %d", number) {
						return
					}
				}
			})
		}
		clients.Wait()
	})
}
