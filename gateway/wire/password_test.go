package wire

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"testing"
)

// The proofs were recorded from the mariadb and mysql command lines, password "secret".
func TestScrambles(t *testing.T) {
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	native := ScrambleNative([]byte("secret"), unhex("375c4a3d32225462702d2e3e2c61273b35375173"))
	if want := unhex("7c155f87d83dddd65ad894d46705ccda6d467013"); !bytes.Equal(native, want) {
		t.Errorf("native: % x", native)
	}
	sha2 := ScrambleSHA2([]byte("secret"), unhex("5339430f37231c0c090e78091c1a701661516f6000"))
	if want := unhex("4ace5bfdc92c8a9b7d455a67e80728034dc44986ef5743ad63f19c670fcf88cd"); !bytes.Equal(sha2, want) {
		t.Errorf("sha2: % x", sha2)
	}
	if ScrambleNative(nil, []byte("salt")) != nil || ScrambleSHA2(nil, nil) != nil {
		t.Error("the empty password has a proof")
	}
}

func TestPasswordOverRSA(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	salt := bytes.Repeat([]byte{7, 9}, 10)
	password := []byte("a password that is longer than its salt is\x00")
	pkix, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range []*pem.Block{
		{Type: "PUBLIC KEY", Bytes: pkix},
		{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&key.PublicKey)},
	} {
		encrypted, err := EncryptPassword(password, salt, pem.EncodeToMemory(block))
		if err != nil {
			t.Fatal(block.Type, err)
		}
		got, err := DecryptPassword(encrypted, append(salt, 0), key) // a salt with its closing zero is the same
		if err != nil || !bytes.Equal(got, password) {
			t.Errorf("%s: %q, %v", block.Type, got, err)
		}
		if _, err := DecryptPassword(encrypted, bytes.Repeat([]byte{8}, 20), key); err == nil {
			t.Error("another salt gives a password")
		}
		if _, err := DecryptPassword(encrypted[1:], salt, key); err == nil {
			t.Error("other bytes give a password")
		}
		if _, err := DecryptPassword(encrypted, nil, key); err == nil {
			t.Error("no salt gives a password")
		}
	}
}

func TestPublicKeysThatCannotBeUsed(t *testing.T) {
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&other.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string][]byte{
		"nothing": nil, "no PEM": []byte("key"), "no key": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: []byte{1}}),
		"no RSA key": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}),
	} {
		if _, err := EncryptPassword([]byte("x\x00"), make([]byte, 20), key); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestForgetClearsTheProof(t *testing.T) {
	payload := scriptBytes(t, "01 82 00 00 00 00 00 01 21 "+string(bytes.Repeat([]byte("00 "), 23))+"62 6f 62 00 03 61 62 63")
	r, err := ParseHandshakeResponse(payload)
	if err != nil {
		t.Fatal(err)
	}
	copies := [][]byte{r.AuthResponse, r.authRead, r.authRaw}
	if string(r.AuthResponse) != "abc" {
		t.Fatalf("%q", r.AuthResponse)
	}
	r.Forget()
	for _, b := range copies {
		if !bytes.Equal(b, make([]byte, len(b))) {
			t.Errorf("left: %q", b)
		}
	}
}
