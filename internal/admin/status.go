// SPDX-License-Identifier: Apache-2.0

package admin

import "time"

// States of a channel.
const (
	Running = "running"
	Stopped = "stopped" // by the error that its status tells; what was committed is safe
)

// Status is where a channel stands. Hashes are base64 in JSON, as Fabric's peer prints them.
type Status struct {
	Channel           string   `json:"channel"`
	State             string   `json:"state"`
	Error             string   `json:"error,omitempty"` // why it stopped
	Height            uint64   `json:"height"`          // number of the next block
	Highest           uint64   `json:"highest"`         // greatest height that any member claims, or our own
	Lag               uint64   `json:"lag"`             // Highest - Height
	CurrentBlockHash  []byte   `json:"currentBlockHash,omitempty"`
	PreviousBlockHash []byte   `json:"previousBlockHash,omitempty"`
	Config            uint64   `json:"config"`           // number of the config block in force
	Mode              string   `json:"mode"`             // how the organization's leader is chosen: static, standby or dynamic
	Leads             bool     `json:"leads"`            // this node pulls from the ordering service
	Leader            string   `json:"leader,omitempty"` // peer ID of our organization's leader, if one is known
	Source            *Source  `json:"source,omitempty"` // nil unless Leads
	Intake            Intake   `json:"intake"`           // where blocks come from, whoever pulls them
	Delivery          Delivery `json:"delivery"`         // how live blocks come
	Peers             []Peer   `json:"peers"`            // members, this node not among them
}

// Intake says where blocks come from: the latest ones, 100 at most, by who brought them.
type Intake struct {
	Orderer      int    `json:"orderer"`        // our own stream from the ordering service
	Organization int    `json:"organization"`   // members of our organization
	Others       int    `json:"others"`         // members of other organizations
	Last         string `json:"last,omitempty"` // who brought the latest one
	Why          string `json:"why,omitempty"`  // why this node pulls from the ordering service, or does not
}

// Delivery says how live blocks come: the latest ones that were announced before they were committed, 100 at most. Times are in
// milliseconds, up to the commit but for Complete.
type Delivery struct {
	Blocks   int               `json:"blocks"`
	Spread   Times             `json:"spreadMs"`           // since the first announcement, or since our own source brought the block
	Age      Times             `json:"ageMs"`              // since the time in its first transaction
	Relayed  int               `json:"relayed"`            // of the latest, 100 at most, that the relay brought: the next two are of these
	Complete Times             `json:"completeMs"`         // since the first announcement or piece, up to the last piece
	Distance Distance          `json:"distance"`           // that by the least that it could have taken; 0: not known
	Copies   float64           `json:"copies"`             // bytes of blocks received by bytes committed, of all since the start
	Received map[string]uint64 `json:"received"`           // bytes since the start, by way: orderer, announcement, relay, range
	Repaired map[string]uint64 `json:"repaired,omitempty"` // blocks since the start, by why they had to be asked for: unannounced, stalled, crowded
}

// Times are some times in short.
type Times struct {
	Median float64 `json:"median"`
	Worst  float64 `json:"worst"`
}

// Distance is how far blocks are from the floor, the least time that they could have taken: 1 is on it.
type Distance struct {
	Last   float64 `json:"last"`
	Median float64 `json:"median"`
	Worst  float64 `json:"worst"`
}

// Source is how a leader stands with the ordering service.
type Source struct {
	State    string    `json:"state"` // idle, connecting, streaming or failing
	Since    time.Time `json:"since"`
	Endpoint string    `json:"endpoint,omitempty"` // address of the orderer; empty when not connected
	Failures int       `json:"failures"`           // in a row
	Error    string    `json:"error,omitempty"`    // why the last stream broke
	Blocks   uint64    `json:"blocks"`             // taken since the start
}

// Peer is the node itself, a member of its channels, or another one that is connected.
type Peer struct {
	ID        string       `json:"id"`
	MSPID     string       `json:"mspid,omitempty"` // empty when it has not shown who it is
	Expires   time.Time    `json:"certificateExpires,omitzero"`
	Self      bool         `json:"self,omitempty"` // it is the node that was asked
	Addresses []string     `json:"addresses,omitempty"`
	Alive     bool         `json:"alive"` // heard of lately
	Connected bool         `json:"connected"`
	LastSeen  time.Time    `json:"lastSeen,omitzero"`
	Flow      *Flow        `json:"flow,omitempty"` // nil when no blocks are relayed from or to it
	Channels  []Membership `json:"channels,omitempty"`
}

// Flow is what the relay receives from a peer and sends it, all channels together.
type Flow struct {
	In       float64 `json:"inPerSecond"`  // bytes, of the last seconds
	Out      float64 `json:"outPerSecond"` // the same
	Received uint64  `json:"received"`     // bytes since the streams were opened
	Sent     uint64  `json:"sent"`         // the same
}

// Membership is what a peer says about its copy of a channel.
type Membership struct {
	Channel string `json:"channel"`
	Height  uint64 `json:"height"`
	Leader  bool   `json:"leader"` // pulls from the ordering service for its organization
}

// Evidence is a proof that somebody has signed what nobody honest signs.
type Evidence struct {
	ID       string    `json:"id"`
	Kind     string    `json:"kind"` // fork or false_announcement
	Channel  string    `json:"channel"`
	Number   uint64    `json:"number"` // of the block
	Config   uint64    `json:"config"` // number of the config block to verify it with
	Found    time.Time `json:"found"`
	Reason   string    `json:"reason"`
	Culprits []Signer  `json:"culprits"` // empty for a fork that nobody signed both sides of
	Headers  []Header  `json:"headers"`  // two of a fork, one that was announced
	Bytes    int       `json:"bytes"`    // of the proof
}

// Header is a block header that was signed.
type Header struct {
	Hash    []byte   `json:"hash"`
	Signers []Signer `json:"signers,omitempty"` // orderers; of a fork only
}

// Signer is an identity.
type Signer struct {
	MSPID       string `json:"mspid"`
	Name        string `json:"name"`        // common name in the certificate
	Certificate string `json:"certificate"` // PEM
}

// Version says what runs.
type Version struct {
	Version   string `json:"version"`
	CommitSHA string `json:"commitSHA"`
	Go        string `json:"go"`
	OSArch    string `json:"osArch"`
	PeerID    string `json:"peerId,omitempty"`
	MSPID     string `json:"mspid,omitempty"`
}

// channelList, evidenceList and peerList are the bodies of the lists, and failure that of an error.
type (
	channelList struct {
		Channels []Status `json:"channels"`
	}
	evidenceList struct {
		Evidence []Evidence `json:"evidence"`
	}
	peerList struct {
		Peers []Peer `json:"peers"`
	}
	failure struct {
		Error string `json:"error"`
	}
)
