import time

import pytest

from pipeline.privacy.ip_addresses import MASK, mask_ips

# "\\n" is a line break.
LEFT_ALONE = r"""
## [1.84.1.0] - 2026-08-30
### 2.14.0.3 (2025-01-12)
# Changelog\n\n1.2.0.1 - 12.05.2024\n* fixed\n1.2.0.0 - 01.04.2024
wget https://x.org/foo-1.2.3.4.tar.gz and foo_1.2.3.4_amd64.deb, bar-93.184.216.34-linux.zip
Mozilla/5.0 AppleWebKit/537.36 Chrome/120.0.0.0 Safari/537.36 Edg/120.0.60.109
see § 1.2.3.4 and section 12.3.4.5 of the law
1.2.3.4 Scope of application\n1.2.3.5 Definitions
Windows 10.0.19.41 build | 6.1.76.1
pip install demo==4.7.2.1 other>=1.2.3.4 third~=2.2.2.2
| 3.1.4.1 | 2020 | fixed |\n| 3.1.4.2 | 2021 | added |
firmware 3.0.0.4 is too old, get 3.0.0.6 or later
Sürüm 4.3.2.1 yayınlandı
გამოვიდა ვერსია 4.3.2.1
Вышла версия 120.12.30.4 программы
バージョン120.12.30.4を公開
버전 120.12.30.4 출시
เวอร์ชัน 120.12.30.4
កំណែ 120.12.30.4
الإصدار 120.12.30.4
גרסה 120.12.30.4
संस्करण 120.12.30.4
பதிப்பு 120.12.30.4
ስሪት 120.12.30.4
版本120.12.30.4
Die Fassung 12.30.140.4, Abschnitt 3.4.1.2
1.3.6.1.4.1.311.21.20
The 2.1.0.4 update adds a dark mode
Download Demo 4.2.0.7 (64-bit)
com.example.demo:lib:1.4.2.3
lib@1.2.3.4
""".strip().splitlines()

# How many, and the text.
MASKED = r"""
1 ping 8.8.8.8
1 ping 5.9.12.33
2 Nameserver: 8.8.4.4, 1.0.0.1
2 nameserver 8.8.4.4\nnameserver 9.9.9.9
1 5.9.12.33 - - [30/Aug/2026:12:00:01 +0000] "GET / HTTP/1.1" 200
1 2026-08-30 12:00:01 5.9.12.33 GET /index.html 80
1 sshd[123]: Failed password for root from 62.24.5.10 port 52144 ssh2
1 allow 5.9.12.0/24;
1 proxy_pass http://5.9.12.33/;
1 curl http://5.9.12.33:8080/x
1 ssh root@62.24.50.10
1 The IP address of the server is 5.9.12.33.
1 服务器地址:5.9.12.33
1 サーバーのアドレスは5.9.12.33です
1 서버 주소 5.9.12.33
1 Адрес сервера 5.9.12.33
1 sunucu adresi 5.9.12.33
1 عنوان الخادم 5.9.12.33
1 כתובת השרת 5.9.12.33
1 सर्वर का पता 5.9.12.33
1 சேவையக முகவரி 5.9.12.33
1 ที่อยู่ไอพี 5.9.12.33
1 អាសយដ្ឋាន 5.9.12.33
1 አድራሻ 5.9.12.33
1 სერვერის მისამართი 5.9.12.33
1 93.184.216.34
3 93.184.216.34\n5.9.12.33\n62.24.5.10
1 www.example.org. 300 IN A 5.9.12.33
1 Reply from 142.250.74.46: bytes=32 time=12ms
2 1 10.0.0.1 1 ms\n2 62.155.243.100 10 ms\n3 80.156.162.178 20 ms
1 ip.addr == 5.9.12.33
1 33.12.9.5.in-addr.arpa
1 Server version 2.4.57 at 5.9.12.33 Port 80
1 Last login: Mon Aug 30 from 5.9.12.33
""".strip().splitlines()


@pytest.mark.parametrize("text", [line.replace("\\n", "\n") for line in LEFT_ALONE])
def test_versions_and_sections_stay(text: str) -> None:
    assert mask_ips(text) == (text, 0)


@pytest.mark.parametrize("row", MASKED)
def test_addresses_go(row: str) -> None:
    number, text = row.split(" ", 1)
    masked, n_ips = mask_ips(text.replace("\\n", "\n"))
    assert n_ips == masked.count(MASK) == int(number), masked


def test_numbers_of_one_list_have_one_answer() -> None:
    assert mask_ips("DNS: 8.8.8.8, 5.4.3.2 and 9.9.9.9")[1] == 3
    assert mask_ips("Fixed in version 8.8.8.8, 5.4.3.2 and 9.9.9.9")[1] == 0


def test_what_is_certain_elsewhere_counts() -> None:
    assert mask_ips("Then 5.9.40.33 answered.")[1] == 0
    assert mask_ips("The server is 93.184.216.34.\nThen 5.9.40.33 answered.")[1] == 2


@pytest.mark.parametrize("piece", ["8.8.8.8 ", "8.8.8.8 x ", "ip 1.2.3.4 v 1.2.3.4\n", "1.2.3.4 version "])
def test_time_is_linear(piece: str) -> None:
    began = time.process_time()
    mask_ips(piece * 20_000)
    assert time.process_time() - began < 10
