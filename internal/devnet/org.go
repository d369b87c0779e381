// SPDX-License-Identifier: Apache-2.0

package devnet

import (
	"crypto/ecdsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"
	"time"

	mspproto "github.com/hyperledger/fabric-protos-go-apiv2/msp"
)

var (
	// ErrName means that a name cannot be used as a group key, MSP ID or part of a file name.
	ErrName = errors.New("devnet: bad name")
	// ErrNotIssued means that a certificate was not issued by the organization.
	ErrNotIssued = errors.New("devnet: certificate of another authority")
)

var (
	orgName  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,40}$`)
	nodeName = regexp.MustCompile(`^[A-Za-z0-9@._-]{1,64}$`) // a common name and part of a file name
)

// Role is the node role that an enrollment certificate carries as its organizational unit (Fabric's NodeOUs).
type Role string

// The four roles of Fabric.
const (
	Peer    Role = "peer"
	Client  Role = "client"
	Admin   Role = "admin"
	Orderer Role = "orderer"
)

// Org is one organization with the keys of its enrollment and TLS authorities. Enroll, TLS and the read-only methods may
// run concurrently; Revoke, RotateCA and RetireCA exclude everything else.
type Org struct {
	Name   string // group key in channel configurations, e.g. "Org1"
	MSPID  string // e.g. "Org1MSP"
	Domain string // e.g. "org1.example.com"

	admin []byte // PEM of the one administrator of an organization without NodeOUs; nil with them

	enrollment []*authority // oldest first; the newest issues
	tls        *authority
	rotations  int
}

// NewOrg makes an organization with new authorities, valid from one hour before now. The name is letters, digits and
// hyphens (ErrName); MSP ID and domain follow from it.
func NewOrg(name string, now time.Time) (*Org, error) {
	if !orgName.MatchString(name) {
		return nil, fmt.Errorf("%w: organization %q: use letters, digits and hyphens, at most 41", ErrName, name)
	}
	o := &Org{Name: name, MSPID: name + "MSP", Domain: strings.ToLower(name) + ".example.com"}
	ca, err := newAuthority("ca."+o.Domain, o.Domain, now)
	if err != nil {
		return nil, err
	}
	o.enrollment = []*authority{ca}
	if o.tls, err = newAuthority("tlsca."+o.Domain, o.Domain, now); err != nil {
		return nil, err
	}
	return o, nil
}

// Enroll issues an enrollment certificate with a new key to cn in the given role. ErrName when cn holds more than
// letters, digits and @ . _ - or more than 64 characters.
func (o *Org) Enroll(cn string, role Role, now time.Time) (*Node, error) {
	return o.enroll(o.issuer(), cn, role, now)
}

// Administrators issues an administrator's certificate from every enrollment root, so that one of them is an
// administrator whether a channel's configuration has the newest root yet or not.
func (o *Org) Administrators(now time.Time) ([]Signer, error) {
	admins := make([]Signer, 0, len(o.enrollment))
	for _, ca := range o.enrollment {
		node, err := o.enroll(ca, "Admin@"+o.Domain, Admin, now)
		if err != nil {
			return nil, err
		}
		admins = append(admins, node)
	}
	return admins, nil
}

func (o *Org) enroll(ca *authority, cn string, role Role, now time.Time) (*Node, error) {
	if !nodeName.MatchString(cn) {
		return nil, fmt.Errorf("%w: node %q of %s: use letters, digits and @ . _ -, at most 64", ErrName, cn, o.MSPID)
	}
	template := &x509.Certificate{
		Subject:  pkix.Name{Organization: []string{o.Domain}, OrganizationalUnit: []string{string(role)}, CommonName: cn},
		KeyUsage: x509.KeyUsageDigitalSignature,
	}
	certificate, key, err := ca.issue(template, now)
	if err != nil {
		return nil, err
	}
	return o.node(cn, role, certificate, key)
}

// DropNodeOUs leaves roles out of the organization's MSP: every member may do what any may, and one is the administrator.
// Call it before the MSP is used.
func (o *Org) DropNodeOUs(admin *Node) { o.admin = admin.CertPEM() }

// Renew issues another certificate to a node of the organization, for the key that it has and a validity of its own.
func (o *Org) Renew(n *Node, from, until time.Time) (*Node, error) {
	template := &x509.Certificate{
		Subject: n.Certificate.Subject, KeyUsage: n.Certificate.KeyUsage, NotBefore: from.UTC(), NotAfter: until.UTC(),
	}
	certificate, err := o.issuer().certify(template, n.Key, from)
	if err != nil {
		return nil, err
	}
	return o.node(n.Name, n.Role, certificate, n.Key)
}

func (o *Org) node(cn string, role Role, certificate *x509.Certificate, key *ecdsa.PrivateKey) (*Node, error) {
	id, err := encode(&mspproto.SerializedIdentity{Mspid: o.MSPID, IdBytes: certificatePEM(certificate)})
	if err != nil {
		return nil, err
	}
	return &Node{Org: o, Name: cn, Role: role, Certificate: certificate, Key: key, serialized: id}, nil
}

// TLS issues a certificate for servers and clients with a new key, both PEM. cn and sans become subject alternative
// names: IP addresses where they parse as such, host names otherwise.
func (o *Org) TLS(cn string, sans []string, now time.Time) (cert, key []byte, err error) {
	template := &x509.Certificate{
		Subject:     pkix.Name{Organization: []string{o.Domain}, CommonName: cn},
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, name := range append([]string{cn}, sans...) {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	certificate, private, err := o.tls.issue(template, now)
	if err != nil {
		return nil, nil, err
	}
	if key, err = keyPEM(private); err != nil {
		return nil, nil, err
	}
	return certificatePEM(certificate), key, nil
}

// TLSRoot returns the certificate of the TLS authority, PEM.
func (o *Org) TLSRoot() []byte { return o.tls.pem() }

// Revoke puts an enrollment certificate on the revocation list of its issuer, which MSPConfig and WriteMSP then
// carry. ErrNotIssued when it is not one of ours.
func (o *Org) Revoke(certificate *x509.Certificate, now time.Time) error {
	for _, a := range o.enrollment {
		if a.issued(certificate) {
			return a.revoke(certificate, now)
		}
	}
	return fmt.Errorf("revoke %s at %s: %w", certificate.Subject.CommonName, o.Name, ErrNotIssued)
}

// RotateCA adds a second enrollment root, which issues from now on. Certificates of the first stay valid until
// RetireCA.
func (o *Org) RotateCA(now time.Time) error {
	ca, err := newAuthority(fmt.Sprintf("ca%d.%s", o.rotations+2, o.Domain), o.Domain, now)
	if err != nil {
		return err
	}
	o.rotations++
	o.enrollment = append(o.enrollment, ca)
	return nil
}

// RetireCA drops every enrollment root but the newest, and with them the certificates that they issued.
func (o *Org) RetireCA() { o.enrollment = []*authority{o.issuer()} }

func (o *Org) issuer() *authority { return o.enrollment[len(o.enrollment)-1] }
