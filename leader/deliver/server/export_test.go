// SPDX-License-Identifier: Apache-2.0

package server

// Stream is the server's side of an RPC.
type Stream = stream

// DeliverOrderer answers a stream of orderer.AtomicBroadcast/Deliver, DeliverFiltered one of protos.Deliver.
func (s *Server) DeliverOrderer(st Stream) error  { return s.deliver(st, fromOrderer) }
func (s *Server) DeliverFiltered(st Stream) error { return s.deliver(st, fromPeerFiltered) }

// Wait waits for what streams have left behind.
func (s *Server) Wait() { s.pending.Wait() }

// EventsOf returns how many chaincode events a marshalled envelope has.
func EventsOf(envelope []byte) int { return len(chaincodeEvents(envelope)) }

// MarksOf returns how many marks a Lag keeps.
func MarksOf(l *Lag) int { return len(l.marks) }
