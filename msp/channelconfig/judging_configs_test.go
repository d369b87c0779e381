// SPDX-License-Identifier: Apache-2.0

package channelconfig_test

import (
	"strings"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	mspproto "github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/internal/devnet"
)

// spoilConfig lets configuration blocks be judged whose content is valid but not the one that follows, or comes in the
// wrong wrapping. The first orderer signs them all.
func (c *chainMaker) spoilConfig() {
	by := c.orderers[0]
	anchors := devnet.SetAnchors("Org2", "peer0.org2:7051")
	next, update := c.update(anchors)
	good := c.configTx(next, update, by)
	sign := func(txs ...*common.Envelope) *common.Block { return c.signed(c.configBlock(txs...), c.signersOf()...) }
	c.judge(sign(good), "configuration: good")
	c.attest(withoutData(sign(good)), "configuration: attestation of a good one")
	b := sign(good)
	b.Metadata.Metadata[0] = nil
	c.judge(b, "configuration: not signed")
	c.judge(c.configBlockAs(c.number-1, good), "configuration: names another as the last one")
	for what, sequence := range map[string]uint64{"skipped": next.Sequence + 1, "of the present one": c.config.Sequence, "0": 0, "2^64-1": 1<<64 - 1} {
		other := proto.Clone(next).(*common.Config)
		other.Sequence = sequence
		c.judge(sign(c.configTx(other, update, by)), "configuration: sequence "+what)
	}
	altered := proto.Clone(next).(*common.Config)
	must(devnet.SetAnchors("Org1", "evil:1")(altered.ChannelGroup))
	c.judge(sign(c.configTx(altered, update, by)), "configuration: other than its update")
	c.judge(sign(c.configTx(next, nil, by)), "configuration: no update")
	c.judge(sign(c.configTx(next, update, nil)), "configuration: transaction not signed")
	c.judge(sign(c.configTx(next, update, c.admins[0])), "configuration: transaction signed by an administrator")
	c.judge(sign(c.configTx(c.config, update, by)), "configuration: the present one")
	few := c.admins
	c.admins = c.admins[:1]
	c.judge(sign(c.configTx(next, c.updateTo(next), by)), "configuration: update signed by one administrator")
	c.admins = few
	id := c.id
	c.id = "otherchannel"
	c.judge(sign(c.configTx(next, c.updateTo(next), by)), "configuration: of another channel")
	c.judge(sign(c.configTx(next, update, by)), "configuration: transaction of another channel")
	foreign := c.updateTo(next)
	c.id = id
	c.judge(sign(c.configTx(next, foreign, by)), "configuration: update of another channel")
	normal := &common.Envelope{Payload: []byte("payload"), Signature: []byte("signature")}
	c.judge(sign(good, normal), "configuration: a second transaction")
	c.judge(sign(normal, good), "configuration: a first transaction")
	c.judge(sign(good, good), "configuration: twice")
	c.judge(sign(update), "configuration: the update alone")
	c.spoilWrapping(good)
}

// configBlockAs names number as the last configuration.
func (c *chainMaker) configBlockAs(number uint64, tx *common.Envelope) *common.Block {
	last := c.lastConfig
	c.lastConfig = number
	defer func() { c.lastConfig = last }()
	return c.signed(c.unsigned(tx), c.signersOf()...)
}

// signersOf returns as many orderers as a block of the chain needs.
func (c *chainMaker) signersOf() []*devnet.Node {
	if c.bft {
		return c.orderers[:devnet.Quorum(len(c.orderers))]
	}
	return c.orderers[:1]
}

// spoilWrapping alters the layers around a configuration.
func (c *chainMaker) spoilWrapping(good *common.Envelope) {
	for what, alter := range map[string]func(*common.Payload, *common.ChannelHeader){
		"no header":              func(p *common.Payload, _ *common.ChannelHeader) { p.Header = nil },
		"no channel header":      func(p *common.Payload, h *common.ChannelHeader) { h.Reset() },
		"no channel ID":          func(_ *common.Payload, h *common.ChannelHeader) { h.ChannelId = "" },
		"type CONFIG_UPDATE":     func(_ *common.Payload, h *common.ChannelHeader) { h.Type = 2 },
		"type ORDERER":           func(_ *common.Payload, h *common.ChannelHeader) { h.Type = 4 },
		"epoch 5":                func(_ *common.Payload, h *common.ChannelHeader) { h.Epoch = 5 },
		"version 9":              func(_ *common.Payload, h *common.ChannelHeader) { h.Version = 9 },
		"no data":                func(p *common.Payload, _ *common.ChannelHeader) { p.Data = nil },
		"data not protobuf":      func(p *common.Payload, _ *common.ChannelHeader) { p.Data = []byte{0xff} },
		"empty configuration":    func(p *common.Payload, _ *common.ChannelHeader) { p.Data = []byte{0x0a, 0} },
		"unknown field":          func(p *common.Payload, _ *common.ChannelHeader) { p.Data = append(p.Data, 0x78, 1) },
		"no signature header":    func(p *common.Payload, _ *common.ChannelHeader) { p.Header.SignatureHeader = nil },
		"header of the envelope": func(_ *common.Payload, h *common.ChannelHeader) { h.TxId = "tx" },
	} {
		p, h := &common.Payload{}, &common.ChannelHeader{}
		must(proto.Unmarshal(good.Payload, p))
		must(proto.Unmarshal(p.Header.ChannelHeader, h))
		alter(p, h)
		if p.Header != nil {
			p.Header.ChannelHeader = marshal(h)
		}
		tx := &common.Envelope{Payload: marshal(p), Signature: good.Signature}
		c.judge(c.signed(c.configBlock(tx), c.signersOf()...), "wrapping: "+what)
	}
	b := c.configBlock(good)
	b.Data.Data[0] = append(b.Data.Data[0], 0x78, 1)
	b.Header.DataHash = block.DataHash(b.Data)
	c.judge(c.signed(b, c.signersOf()...), "wrapping: unknown field of the envelope")
}

// makeConfigs tries configurations that Fabric may or may not take.
func makeConfigs(c *chainMaker) {
	c.begin(c.network(2, devnet.Channel{}))
	c.spoilConfig()
	c.tryAll(sectionChanges())
	c.tryAll(ordererChanges())
	c.tryAll(c.mspChanges("Orderer"))
	c.tryAll(c.mspChanges("Org1"))
	c.tryAll(policyChanges("Orderer", "BlockValidation"))
	c.tryAll(policyChanges("Application", "Org1", "Readers"))
	c.goOn(c.next(c.orderers[0]), "an honest block")
}

func (c *chainMaker) tryAll(changes map[string]devnet.Change) {
	for what, change := range changes {
		c.judge(c.configured([]devnet.Change{change}, c.signersOf()...), what)
	}
}

func edit(alter func(root *common.ConfigGroup)) devnet.Change {
	return func(root *common.ConfigGroup) error {
		alter(root)
		return nil
	}
}

func emptyGroup() *common.ConfigGroup { return &common.ConfigGroup{ModPolicy: "Admins"} }

func sectionChanges() map[string]devnet.Change {
	changes := map[string]devnet.Change{
		"section Orderer gone":      edit(func(r *common.ConfigGroup) { delete(r.Groups, "Orderer") }),
		"section Application gone":  edit(func(r *common.ConfigGroup) { delete(r.Groups, "Application") }),
		"section unknown":           edit(func(r *common.ConfigGroup) { r.Groups["Other"] = emptyGroup() }),
		"section Consortiums":       edit(func(r *common.ConfigGroup) { r.Groups["Consortiums"] = emptyGroup() }),
		"no ordering organizations": edit(func(r *common.ConfigGroup) { r.Groups["Orderer"].Groups = nil }),
		"no organizations":          edit(func(r *common.ConfigGroup) { r.Groups["Application"].Groups = map[string]*common.ConfigGroup{} }),
		"group below an organization": edit(func(r *common.ConfigGroup) {
			r.Groups["Application"].Groups["Org1"].Groups = map[string]*common.ConfigGroup{"Sub": emptyGroup()}
		}),
		"organization without anything": edit(func(r *common.ConfigGroup) { r.Groups["Application"].Groups["Empty"] = emptyGroup() }),
		"ordering organization without anything": edit(func(r *common.ConfigGroup) {
			r.Groups["Orderer"].Groups["Empty"] = emptyGroup()
		}),
		"the same organization under two names": edit(func(r *common.ConfigGroup) {
			r.Groups["Application"].Groups["Twin"] = r.Groups["Application"].Groups["Org1"]
		}),
		"organization that orders under another name": edit(func(r *common.ConfigGroup) {
			r.Groups["Orderer"].Groups["Twin"] = r.Groups["Orderer"].Groups["Orderer"]
		}),
		"modification policy empty":   edit(func(r *common.ConfigGroup) { r.ModPolicy = "" }),
		"modification policy unknown": edit(func(r *common.ConfigGroup) { r.ModPolicy = "//a b" }),
	}
	for what, name := range map[string]string{
		"space": "Org 3", "slash": "Org/3", "dot": ".", "dots": "..", "empty": "", "umlaut": "Orgä", "underscore": "Org_3", "long": strings.Repeat("a", 250),
	} {
		changes["organization name: "+what] = edit(func(r *common.ConfigGroup) {
			r.Groups["Application"].Groups[name] = r.Groups["Application"].Groups["Org2"]
		})
		changes["policy name: "+what] = setPolicy(implicit("Readers", 0), "Application", name)
	}
	for what, section := range map[string]string{"channel": "", "application": "Application", "orderer": "Orderer"} {
		changes[what+": unknown value"] = setValue(section, "Unknown", []byte("x"))
		changes[what+": capabilities gone"] = setValue(section, "Capabilities", nil)
		changes[what+": capabilities empty"] = setValue(section, "Capabilities", []byte{})
		changes[what+": capabilities not protobuf"] = setValue(section, "Capabilities", []byte{0xff})
		for _, name := range []string{"V9_9", "V1_1", "V1_2", "V1_3", "V1_4_2", "V1_4_3", "V2_0", "V2_5", "V3_0", ""} {
			changes[what+": capability "+name] = capability(section, name)
			changes[what+": capability V2_0 and "+name] = capability(section, "V2_0", name)
		}
	}
	return changes
}

func ordererChanges() map[string]devnet.Change {
	size := func(count, absolute, preferred uint32) []byte {
		return marshal(&orderer.BatchSize{MaxMessageCount: count, AbsoluteMaxBytes: absolute, PreferredMaxBytes: preferred})
	}
	kind := func(name string, metadata []byte) []byte {
		return marshal(&orderer.ConsensusType{Type: name, Metadata: metadata})
	}
	value := func(section, key string, encoded ...[]byte) map[string]devnet.Change {
		out := map[string]devnet.Change{key + " gone": setValue(section, key, nil), key + " not protobuf": setValue(section, key, []byte{0xff}), key + " empty": setValue(section, key, []byte{})}
		for i, e := range encoded {
			out[key+" "+string(rune('a'+i))] = setValue(section, key, e)
		}
		return out
	}
	all := map[string]devnet.Change{}
	for _, group := range []map[string]devnet.Change{
		value("", "HashingAlgorithm", marshal(&common.HashingAlgorithm{Name: "SHA3_256"}), marshal(&common.HashingAlgorithm{Name: "MD5"})),
		value("", "BlockDataHashingStructure", marshal(&common.BlockDataHashingStructure{Width: 32})),
		value("", "Consortium", marshal(&common.Consortium{Name: "C"})),
		value("", "OrdererAddresses", marshal(&common.OrdererAddresses{Addresses: []string{"nonsense"}})),
		value("Orderer", "BatchSize", size(0, 1, 1), size(1, 0, 1), size(1, 1, 0), size(1, 1, 2), size(1, 2, 1)),
		value("Orderer", "BatchTimeout", marshal(&orderer.BatchTimeout{Timeout: "0s"}), marshal(&orderer.BatchTimeout{Timeout: "-1s"}),
			marshal(&orderer.BatchTimeout{Timeout: "soon"}), marshal(&orderer.BatchTimeout{Timeout: "1ns"})),
		value("Orderer", "ConsensusType", kind("", nil), kind("solo", nil), kind("kafka", nil), kind("BFT", nil), kind("etcdraft", nil), kind("etcdraft", []byte{0xff}),
			marshal(&orderer.ConsensusType{Type: "etcdraft", State: 1})),
		value("Orderer", "KafkaBrokers", []byte("\x0a\x03a:1"), []byte("\x0a\x07no port")),
		value("Orderer", "ChannelRestrictions", marshal(&orderer.ChannelRestrictions{MaxCount: 5})),
		value("Orderer", "Orderers"),
		value("Application", "ACLs", []byte{0x0a, 2, 0x0a, 0}, []byte{0x0a, 8, 0x0a, 1, 'x', 0x12, 3, 0x0a, 1, '/'}),
	} {
		for what, change := range group {
			all[what] = change
		}
	}
	for _, section := range []string{"Orderer", "Application"} {
		org := map[string]string{"Orderer": "Orderer", "Application": "Org1"}[section]
		for _, key := range []string{"Endpoints", "AnchorPeers", "Unknown"} {
			for what, encoded := range map[string][]byte{"empty": {}, "not protobuf": {0xff}, "text": {0x0a, 1, 'x'}, "gone": nil, "nothing": {0x0a, 0}, "port": {0x0a, 5, 0x0a, 1, 'x', 0x10, 0}, "large port": {0x0a, 8, 0x0a, 1, 'x', 0x10, 0xff, 0xff, 0xff, 0x07}} {
				all[section+" organization, "+key+": "+what] = edit(func(r *common.ConfigGroup) {
					group := under(r, section, org)
					delete(group.Values, key)
					if encoded != nil {
						group.Values[key] = &common.ConfigValue{Value: encoded, ModPolicy: "Admins"}
					}
				})
			}
		}
	}
	return all
}

// policyChanges writes odd policies to a path.
func policyChanges(path ...string) map[string]devnet.Change {
	role := rolePrincipal("OrdererMSP", mspproto.MSPRole_MEMBER)
	by := func(i int32) *common.SignaturePolicy {
		return &common.SignaturePolicy{Type: &common.SignaturePolicy_SignedBy{SignedBy: i}}
	}
	n := func(n int32, rules ...*common.SignaturePolicy) *common.SignaturePolicy {
		return &common.SignaturePolicy{Type: &common.SignaturePolicy_NOutOf_{NOutOf: &common.SignaturePolicy_NOutOf{N: n, Rules: rules}}}
	}
	deep := by(0)
	for range 40 {
		deep = n(1, deep)
	}
	policies := map[string]*common.Policy{
		"none":                      nil,
		"empty":                     {},
		"unknown type":              {Type: 9, Value: []byte("x")},
		"type MSP":                  {Type: int32(common.Policy_MSP)},
		"signature not protobuf":    {Type: int32(common.Policy_SIGNATURE), Value: []byte{0xff}},
		"signature empty":           {Type: int32(common.Policy_SIGNATURE)},
		"signature version 1":       {Type: int32(common.Policy_SIGNATURE), Value: marshal(&common.SignaturePolicyEnvelope{Version: 1, Rule: by(0), Identities: []*mspproto.MSPPrincipal{role}})},
		"signature without rule":    signaturePolicy(nil, role),
		"signature empty rule":      signaturePolicy(&common.SignaturePolicy{}, role),
		"signer out of range":       signaturePolicy(by(1), role),
		"signer negative":           signaturePolicy(by(-1), role),
		"signer out of range below": signaturePolicy(n(1, by(0), by(7)), role),
		"no principals":             signaturePolicy(by(0)),
		"one of none":               signaturePolicy(n(1)),
		"none of none":              signaturePolicy(n(0)),
		"negative of one":           signaturePolicy(n(-1, by(0)), role),
		"two of one":                signaturePolicy(n(2, by(0)), role),
		"empty rule below":          signaturePolicy(n(1, by(0), &common.SignaturePolicy{}), role),
		"40 deep":                   signaturePolicy(deep, role),
		"principal not protobuf":    signaturePolicy(by(0), &mspproto.MSPPrincipal{Principal: []byte{0xff}}),
		"principal of unknown kind": signaturePolicy(by(0), &mspproto.MSPPrincipal{PrincipalClassification: 9}),
		"principal unknown MSP":     signaturePolicy(by(0), rolePrincipal("NobodyMSP", 0)),
		"principal unknown role":    signaturePolicy(by(0), rolePrincipal("OrdererMSP", 9)),
		"implicit not protobuf":     {Type: int32(common.Policy_IMPLICIT_META), Value: []byte{0xff}},
		"implicit empty":            {Type: int32(common.Policy_IMPLICIT_META)},
		"implicit unknown rule":     implicit("Writers", 9),
		"implicit any":              implicit("Writers", common.ImplicitMetaPolicy_ANY),
		"implicit of nothing":       implicit("Nothing", common.ImplicitMetaPolicy_ALL),
		"implicit of itself":        implicit("BlockValidation", common.ImplicitMetaPolicy_ANY),
	}
	changes := map[string]devnet.Change{
		path[len(path)-1] + " gone": edit(func(r *common.ConfigGroup) {
			delete(under(r, path[:len(path)-1]...).Policies, path[len(path)-1])
		}),
	}
	for what, p := range policies {
		changes[path[len(path)-1]+": "+what] = setPolicy(p, path...)
	}
	return changes
}
