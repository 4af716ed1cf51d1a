"""Lines that hold a secret, lines that look as if, and tokens of known forms."""

from __future__ import annotations

from typing import Final

SECRET: Final = "S3cr3t!"

WITH_SECRET: Final = tuple(
    r"""
mysql -u root -pS3cr3t! shop
mysql --password=S3cr3t! -u root shop
mysql '-pS3cr3t!' 'a b'
mysql "-pS3cr3t! x" shop
'mysql' '--password' 'S3cr3t!'
sshpass '-p' 'S3cr3t!' ssh web-1
mysqldump --password 'S3cr3t! x' shop > dump.sql
export API_TOKEN=S3cr3t!
export DB_PASSWORD="S3cr3t! with blanks"
PGPASSWORD=S3cr3t! psql -h db shop
AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYS3cr3t! aws s3 ls
curl -H 'Authorization: Bearer S3cr3t!' https://x.net
curl -H "Authorization: Basic S3cr3t!==" https://x.net
curl -H "X-Api-Key: S3cr3t!" https://x.net
curl -H 'Private-Token: S3cr3t!' https://x.net
curl -u admin:S3cr3t! https://x.net
curl --user 'admin:S3cr3t!' https://x.net
curl -uadmin:S3cr3t! https://x.net
curl https://admin:S3cr3t!@x.net/path
curl 'https://x.net/a?access_token=S3cr3t!&b=1'
git clone https://oauth2:S3cr3t!@gitlab.com/a/b.git
redis-cli -h cache -a S3cr3t! ping
redis-cli -u redis://:S3cr3t!@cache:6379/0
psql postgresql://shop:S3cr3t!@db:5432/shop
mongosh "mongodb://root:S3cr3t!@db/admin"
mongodump -u root -p S3cr3t! --db shop
sshpass -p S3cr3t! ssh root@web-1
sshpass -p'S3cr3t! x' ssh root@web-1
docker login -u ci -p S3cr3t! registry.x.net
echo S3cr3t! | docker login --password-stdin -u ci
echo 'S3cr3t!' | sudo -S apt-get update
echo "root:S3cr3t!" | chpasswd
passwd --stdin deploy <<< S3cr3t!
ssh web-1 "mysql -u root -pS3cr3t! -e 'show tables'"
bash -c "curl --token=S3cr3t! https://x.net"
bash -c 'export TOKEN=S3cr3t!; ./run'
kubectl create secret generic db --from-literal=password=S3cr3t!
kubectl create secret generic db --from-literal=x='S3cr3t!'
vault kv put secret/db value=S3cr3t!
aws configure set aws_secret_access_key S3cr3t!
npm config set //registry/:_authToken S3cr3t!
set -gx GITHUB_TOKEN S3cr3t!
setenv DB_PASSWORD S3cr3t!
openssl enc -aes-256-cbc -pass pass:S3cr3t! -in a -out b
openssl rsa -in k.pem -passin 'pass:S3cr3t!'
zip -P S3cr3t! a.zip b
7z x -pS3cr3t! a.7z
smbclient //srv/share -U 'bob%S3cr3t!'
crackmapexec smb 10.0.0.1 -u bob -p S3cr3t!
evil-winrm -i 10.0.0.1 -u bob -p 'S3cr3t!'
psexec.py corp/bob:S3cr3t!@10.0.0.1
xfreerdp /u:bob /p:S3cr3t! /v:10.0.0.1
curl -d '{"user": "bob", "password": "S3cr3t!"}' https://x.net
curl -d "{\"user\": \"bob\", \"password\": \"S3cr3t!\"}" https://x.net
curl -d '{"api_key":"S3cr3t!","n":1}' https://x.net
curl -d 'user=bob&password=S3cr3t!&n=1' https://x.net
curl --data-urlencode "client_secret=S3cr3t!" https://x.net
http POST x.net Authorization:"Bearer S3cr3t!"
http -a bob:S3cr3t! x.net
curl -b 'session=S3cr3t!' -H 'Cookie: sid=S3cr3t!; b=2' https://x.net
htpasswd -bc .htpasswd bob S3cr3t!
ldapsearch -D cn=admin -w S3cr3t! -b dc=x
gh auth login --with-token <<< S3cr3t!
helm install x --set adminPassword=S3cr3t! ./chart
helm install x --set auth.rootPassword='S3cr3t!',replicas=2 ./chart
ansible-playbook site.yml -e "db_password=S3cr3t! x=1"
ansible-playbook site.yml -e '{"vault_password": "S3cr3t!"}'
java -Djavax.net.ssl.keyStorePassword=S3cr3t! -jar a.jar
docker run -e POSTGRES_PASSWORD=S3cr3t! postgres
docker run -e "POSTGRES_PASSWORD=S3cr3t!" postgres
echo "password: S3cr3t!" >> config.yml
echo 'SECRET_KEY_BASE=S3cr3t!' >> .env
sed -i 's/PASSWORD=.*/PASSWORD=S3cr3t!/' .env
export TOKEN='S3cr3t!
az login --service-principal -u x -p S3cr3t! --tenant t
wget --http-password=S3cr3t! https://x.net
gpg --batch --passphrase S3cr3t! -d a.gpg
sudo -u app env DB_PASS=S3cr3t! ./run
sqlcmd -S db -U sa -P 'S3cr3t!' -Q 'select 1'
curl -H "Authorization: token S3cr3t!" https://x.net
curl -sS -H "Authorization: S3cr3t!" https://x.net
""".strip().splitlines()
)
"""One a line; `SECRET` is the secret."""

ALIKE: Final = tuple(
    r"""
ls -la /srv/bob
git commit -m "Fix token refresh: the secret was stale"
git checkout 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b
docker pull registry.x.net/team/token:1.4.2
docker pull alpine@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
kubectl get secret db-password -o yaml
kubectl describe secrets
kubectl logs web-7d4b9c6f5b-x2x9k -n prod
export PATH=$PATH:/opt/bin
export TOKEN=$(pass show ci/token)
export TOKEN="$GITHUB_TOKEN"
curl -H "Authorization: Bearer $TOKEN" https://x.net
curl -H "Authorization: Bearer ${TOKEN}" https://x.net
mysql -u root -p shop
mysql -u root -p"$DB_PASSWORD" shop
docker login --password-stdin -u ci registry.x.net
psql --no-password -h db shop
ssh -p 2222 root@web-1
scp -P 22 a.txt bob@web-1:/srv/
git clone git@github.com:org/repo.git
git clone https://github.com/org/repo
rsync -av src/ bob@10.0.0.1:/srv/data
curl http://localhost:8080/health
curl http://db.internal:5432/a@b
grep -rn "password:" src
grep -r token: src
grep -i password= config/*.yml
vim /etc/passwd
cat ~/.ssh/id_ed25519.pub
passwd bob
cd /srv/secrets/tokens
python train.py --max_tokens=4096 --tokens 5
npm install jsonwebtoken@9.0.2
pytest -k test_GatewayReturns503WhenNatsIsAway
make TokenParserTest
terraform apply -var-file=secrets.tfvars
vault kv get secret/db
aws secretsmanager get-secret-value --secret-id prod/db
openssl rand -hex 32
ssh-keygen -t ed25519 -C bob@web-1
echo "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB3mC0Xk9TqWl1J5s8Zr7Pq2Yb4Vn6Lh0Gd3" >> .ssh/keys
kill -9 12345
tar czf backup-2026-09-21T14-13-20Z.tgz /srv
docker exec -it db psql -U shop
cat 3fa85f64-5717-4562-b3fc-2c963f66afa6.json
cat 3FA85F64-5717-4562-B3FC-2C963F66AFA6.json
ffmpeg -i input.mp4 -pass 1 -passlogfile log out.mp4
mkdir -p build/CMakeFiles/HelloWorldFromTheOtherSide2
./gradlew :app:testDebugUnitTest --tests com.example.TokenServiceTest
gh auth login --with-token < token.txt
echo "pass=3 fail=0"
if [ -z "$TOKEN" ]; then echo no token; fi
docker build --secret id=npmrc,src=$HOME/.npmrc .
kubectl create token default
sudo -u postgres psql
find . -name '*secret*' -print
nc -zv 10.0.0.5 22
nmap -sV -p 22,80 10.0.0.1
awk -F: '{print $1}' /etc/passwd
python -m http.server 8000
cp a:b@c d
mysql --defaults-file=/etc/my.cnf shop
PWD=/tmp OLDPWD=/x env
mvn -Dtest=SecretTest test
curl --cacert ca.pem https://x.net
echo text | git hash-object --stdin
""".strip().splitlines()
)
"""One a line; nothing of it is secret."""

_CHANCE: Final = "Zx81kQm4Tn0Rw7Ld2VbY"
TOKENS: Final = (
    "ghp" + "_" + "a1B2" * 10,
    "AK" + "IA" + "A1B2C3D4E5F6G7H8",
    "gl" + "pat-" + _CHANCE,
    "xo" + "xb-123456789012-abcdef",
    "ey" + "JhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.abcdefghijkl",
    "hi" + "ve_" + _CHANCE * 2 + "abcde",
    "sk" + "-proj-" + _CHANCE,
    "hv" + "s." + _CHANCE * 2,
    "dop" + "_v1_" + "0123456789abcdef" * 4,
    _CHANCE + "9aBc3",
)
"""In parts, so that nobody who looks for secrets finds these."""

FORMS: Final = ("echo {}", "curl https://x.net/{}/y", "x '{}'", 'x "{}" y', "x={}", "x --y {} | z")
