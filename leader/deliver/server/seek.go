// SPDX-License-Identifier: Apache-2.0

package server

import (
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"google.golang.org/protobuf/proto"
)

// span is what a SeekInfo asks for, as block numbers.
type span struct {
	first, last uint64 // inclusive
	wait        bool   // BLOCK_UNTIL_READY
	strict      bool   // fail when the ordering service is unavailable
	headers     bool   // HEADER_WITH_SIG
}

func decodeSeek(raw []byte) (*orderer.SeekInfo, error) {
	info := &orderer.SeekInfo{}
	if err := proto.Unmarshal(raw, info); err != nil {
		return nil, Refuse(common.Status_BAD_REQUEST, "malformed SeekInfo: %v", err)
	}
	return info, nil
}

// resolve turns positions into numbers at the present height, which is at least 1. The rules and their order are Fabric's.
func resolve(info *orderer.SeekInfo, height uint64) (span, error) {
	s := span{
		wait:    info.GetBehavior() == orderer.SeekInfo_BLOCK_UNTIL_READY,
		strict:  strict(info),
		headers: info.GetContentType() == orderer.SeekInfo_HEADER_WITH_SIG,
	}
	if info.GetStart().GetType() == nil || info.GetStop().GetType() == nil {
		return span{}, Refuse(common.Status_BAD_REQUEST, "SeekInfo without start or stop")
	}
	var err error
	if s.first, err = start(info.GetStart(), height); err != nil {
		return span{}, err
	}
	s.last, err = stop(info.GetStop(), s.first, height)
	return s, err
}

func strict(info *orderer.SeekInfo) bool { return info.GetErrorResponse() == orderer.SeekInfo_STRICT }

func start(p *orderer.SeekPosition, height uint64) (uint64, error) {
	switch t := p.GetType().(type) {
	case *orderer.SeekPosition_Oldest:
		return 0, nil
	case *orderer.SeekPosition_Newest:
		return height - 1, nil
	case *orderer.SeekPosition_NextCommit:
		return height, nil
	case *orderer.SeekPosition_Specified:
		if n := t.Specified.GetNumber(); n <= height {
			return n, nil
		}
		return 0, Refuse(common.Status_NOT_FOUND, "block %d is beyond the next one, %d", t.Specified.GetNumber(), height)
	default:
		return 0, Refuse(common.Status_BAD_REQUEST, "unknown start %T", t)
	}
}

func stop(p *orderer.SeekPosition, first, height uint64) (uint64, error) {
	var last uint64
	switch t := p.GetType().(type) {
	case *orderer.SeekPosition_Oldest:
		last = first // Fabric: one block, whatever the start is
	case *orderer.SeekPosition_Newest:
		last = height - 1
	case *orderer.SeekPosition_Specified:
		last = t.Specified.GetNumber()
	default:
		return 0, Refuse(common.Status_BAD_REQUEST, "a stop cannot be %T", t)
	}
	if first > last {
		return 0, Refuse(common.Status_BAD_REQUEST, "start %d is behind stop %d", first, last)
	}
	return last, nil
}
