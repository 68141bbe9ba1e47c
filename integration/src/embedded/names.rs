//! Names of packages as a Fedora build machine has them, for where no real package list is at hand.
//!
//! One table row is a family: a prefix, its members, and what is appended to each member.

/// Where a family's packages come from and what they look like.
pub(super) struct Family {
    /// Put in front of each member.
    pub(super) prefix: &'static str,
    /// Names, separated by spaces.
    pub(super) members: &'static str,
    /// Each member is there once per suffix; `""` is the member itself.
    pub(super) suffixes: &'static [&'static str],
    /// Put behind each member.
    pub(super) ending: &'static str,
    /// `noarch` or the native architecture.
    pub(super) noarch: bool,
}

const fn native(members: &'static str, suffixes: &'static [&'static str]) -> Family {
    Family { prefix: "", members, suffixes, ending: "", noarch: false }
}

const fn noarch(prefix: &'static str, members: &'static str, ending: &'static str) -> Family {
    Family { prefix, members, suffixes: &[""], ending, noarch: true }
}

/// Libraries that also have an i686 build on a machine that builds for both.
pub(super) const MULTILIB: &str = "alsa-lib audit-libs brotli bzip2-libs cairo cups-libs elfutils-libelf \
    expat fontconfig freetype gdk-pixbuf2 glib2 glibc gmp gnutls harfbuzz keyutils-libs krb5-libs libacl \
    libattr libblkid libcap libdrm libffi libgcc libgcrypt libgpg-error libidn2 libmount libpng libselinux \
    libsepol libstdc++ libunistring libuuid libxcrypt libxml2 libzstd ncurses-libs nettle openssl-libs \
    pam-libs pcre2 popt readline sqlite-libs systemd-libs xz-libs zlib-ng-compat";

/// Epochs that Fedora really carries.
pub(super) const EPOCHS: &[(&str, u32)] = &[
    ("NetworkManager", 1),
    ("bind", 32),
    ("cups", 1),
    ("dbus", 1),
    ("dhcp-client", 12),
    ("emacs", 1),
    ("gdbm", 1),
    ("grub2", 1),
    ("iptables", 0),
    ("java-21-openjdk", 1),
    ("kexec-tools", 0),
    ("libpcap", 14),
    ("lvm2", 0),
    ("net-snmp", 1),
    ("nfs-utils", 1),
    ("openssl", 1),
    ("passt", 0),
    ("podman", 5),
    ("qemu", 2),
    ("samba", 2),
    ("shadow-utils", 2),
    ("skopeo", 1),
    ("tar", 2),
    ("tcpdump", 14),
    ("vim", 2),
    ("wget", 0),
];

/// Every family, the most ordinary first: a smaller machine has the first of them.
pub(super) const FAMILIES: &[Family] = &[
    native(
        "acl attr audit bash bc binutils bzip2 chrony coreutils cpio cracklib crypto-policies cryptsetup curl \
         cyrus-sasl dbus dbus-broker device-mapper diffutils dosfstools dracut e2fsprogs ed efibootmgr elfutils \
         ethtool expat fedora-release file filesystem findutils firewalld fuse3 gawk gdbm gettext git glibc \
         gnupg2 gpgme grep groff grubby grub2-tools gzip hostname hwdata info iproute iptables-nft iputils jq \
         kbd kexec-tools keyutils kmod less libnftnl linux-firmware logrotate lsof lua lvm2 lz4 make man-db \
         mdadm mtools nano ncurses net-tools nettle nfs-utils nftables numactl openldap openssh openssl \
         p11-kit pam parted passwd patch pciutils pcre2 pigz pkgconf policycoreutils polkit popt procps-ng \
         psmisc python3 quota readline rootfiles rpm rsync rsyslog screen sed selinux-policy setup shadow-utils \
         smartmontools socat sqlite strace sudo symlinks sysstat systemd tar tcpdump time tmux traceroute tree \
         tzdata unzip usbutils util-linux vim-common vim-enhanced vim-minimal wget2 which whois wireguard-tools \
         xfsprogs xz zip zsh zstd",
        &[""],
    ),
    native(
        "alsa-lib at-spi2-core atk audit-libs avahi blas boost-atomic boost-chrono boost-container \
         boost-context boost-coroutine boost-date-time boost-fiber boost-filesystem boost-graph \
         boost-iostreams boost-json boost-locale boost-log boost-math boost-nowide boost-numpy3 \
         boost-program-options boost-python3 boost-random boost-regex boost-serialization boost-stacktrace \
         boost-system boost-test boost-thread boost-timer boost-type_erasure boost-url boost-wave brotli \
         bzip2-libs c-ares cairo cairo-gobject capstone cjson cups-libs dav1d dbus-libs device-mapper-libs \
         double-conversion duktape elfutils-libelf elfutils-libs enchant2 file-libs fmt fontconfig freetype \
         fribidi fstrm fuse-libs gdk-pixbuf2 gflags giflib glib2 glog gmp gnutls gobject-introspection \
         graphene graphite2 gsl gtk3 gtk4 harfbuzz hdf5 highway hwloc-libs icu json-c json-glib jsoncpp \
         keyutils-libs kmod-libs krb5-libs lcms2 leveldb libICE libSM libX11 libX11-xcb libXScrnSaver libXau \
         libXcomposite libXcursor libXdamage libXdmcp libXext libXfixes libXft libXi libXinerama libXmu libXpm \
         libXrandr libXrender libXt libXtst libXv libXxf86vm libacl libaio libarchive libassuan libatomic \
         libattr libavif libb2 libblkid libbpf libcap libcap-ng libcbor libcom_err libcomps libcurl libdaemon \
         libdatrie libdb libdnf libdnf5 libdrm libeconf libedit libepoxy libevdev libevent libfdisk libffi \
         libfido2 libfsverity libgcc libgcrypt libgit2 libglvnd libgomp libgpg-error libgudev libibverbs \
         libical libicu libidn2 libimagequant libinput libjpeg-turbo libjxl libkcapi libksba liblqr-1 \
         libmaxminddb libmetalink libmnl libmodulemd libmount libnetfilter_conntrack libnfnetlink libnfsidmap \
         libnghttp2 libnl3 libogg libpaper libpath_utils libpcap libpciaccess libpipeline libpng libproxy \
         libpsl libpwquality libqalculate libraw1394 librdmacm librepo libreport libreswan libsamplerate \
         libseccomp libsecret libselinux libsemanage libsepol libsigsegv libslirp libsmartcols libsndfile \
         libsodium libsolv libsoup3 libss libssh libssh2 libstdc++ libstemmer libtalloc libtasn1 libtdb \
         libtevent libthai libtiff libtirpc libtool-ltdl libudisks2 libunistring libunwind liburing libusb1 \
         libuser libutempter libuuid libuv libva libverto libvirt-libs libvorbis libvpx libwayland-client \
         libwayland-cursor libwayland-egl libwebp libxcb libxcrypt libxkbcommon libxml2 libxshmfence libxslt \
         libyaml libzip libzstd lksctp-tools lm_sensors-libs lmdb-libs lua-libs lz4-libs lzo mesa-libEGL \
         mesa-libGL mesa-libgbm mpfr mpdecimal ncurses-libs nspr nss nss-softokn nss-util numactl-libs oniguruma \
         openblas opencv openexr openjpeg openldap-clients openssl-libs opus orc pango papi pcre pcre2-utf16 \
         pcre2-utf32 pcsc-lite-libs pixman pipewire-libs poppler popt-libs protobuf protobuf-c pulseaudio-libs \
         python3-libs qrencode-libs rapidjson re2 rdma-core readline-libs rpm-libs samba-client-libs snappy \
         spdlog sqlite-libs suitesparse systemd-libs tbb tcl tk trousers tslib unixODBC userspace-rcu utf8proc \
         valgrind vulkan-loader wayland x264-libs xcb-util xerces-c xmlsec1 xxhash-libs xz-libs yajl yaml-cpp \
         zeromq zlib-ng-compat zziplib",
        &["", "-devel"],
    ),
    native(
        "annobin ansible-core asciidoc autoconf automake bison buildah byacc ccache cmake cmake-data \
         cmake-filesystem cmake-rpm-macros conmon container-selinux containernetworking-plugins copr-cli cppcheck \
         createrepo_c criu crun ctags debugedit dejagnu desktop-file-utils diffstat dnf5 dnf5-plugins doxygen \
         dwz efi-srpm-macros expect fedora-packager flatpak-libs flex fonts-srpm-macros gcc gcc-c++ gcc-gfortran \
         gcc-plugin-annobin gdb gdb-headless gdb-gdbserver git-core git-core-doc git-lfs go-srpm-macros golang \
         golang-bin golang-src gperf gpg-pubkey-tools graphviz gtk-doc help2man indent intltool \
         java-21-openjdk java-21-openjdk-devel java-21-openjdk-headless javapackages-tools \
         kernel-headers kernel-srpm-macros koji latexmk libasan libubsan libtsan liblsan libtool libvirt-client \
         libvirt-daemon libvirt-daemon-driver-qemu libvirt-daemon-driver-storage libvirt-daemon-kvm lldb lttng-ust \
         ltrace lua-srpm-macros m4 maven mercurial meson mingw64-filesystem mock mock-core-configs mold nasm \
         netavark ninja-build nodejs nodejs-libs nodejs-npm openmpi openssh-clients openssh-server osbuild \
         packit papi-libs passt patchelf patchutils perf perl-interpreter perl-libs pesign podman \
         podman-compose pyproject-rpm-macros qemu-block-curl qemu-block-iscsi qemu-block-nfs qemu-block-rbd \
         qemu-common qemu-guest-agent qemu-img qemu-kvm qemu-kvm-core qemu-system-aarch64 qemu-system-x86 \
         qemu-user-static quilt redhat-rpm-config rpm-build rpm-build-libs rpm-sign rpmdevtools \
         rpmlint ruby ruby-libs rust rust-std-static rust-srpm-macros cargo rustfmt clippy scons sccache \
         skopeo slirp4netns source-highlight spectool subversion subversion-libs swig systemtap \
         systemtap-client systemtap-devel systemtap-runtime tito toolbox trace-cmd unbound-libs virt-install \
         yara yasm zchunk-libs",
        &[""],
    ),
    noarch(
        "perl-",
        "Algorithm-Diff Archive-Tar Archive-Zip Attribute-Handlers AutoLoader AutoSplit B B-Debug Benchmark \
         CPAN CPAN-Meta CPAN-Meta-Requirements CPAN-Meta-YAML Carp Class-Inspector Class-Struct Clone \
         Compress-Bzip2 Compress-Raw-Bzip2 Compress-Raw-Lzma Compress-Raw-Zlib Config-Extensions \
         Config-Perl-V Convert-ASN1 Crypt-OpenSSL-Bignum DBD-SQLite DBI DB_File Data-Dump Data-Dumper \
         Data-OptList Data-Section Date-Manip Devel-PPPort Devel-Peek Devel-SelfStubber Devel-Size Digest \
         Digest-HMAC Digest-MD5 Digest-SHA DirHandle Dumpvalue DynaLoader Encode Encode-Locale English Env \
         Errno Error Exporter ExtUtils-CBuilder ExtUtils-Command ExtUtils-Constant ExtUtils-Embed \
         ExtUtils-Install ExtUtils-MM-Utils ExtUtils-MakeMaker ExtUtils-Manifest ExtUtils-Miniperl \
         ExtUtils-ParseXS Fcntl File-Basename File-Compare File-Copy File-DosGlob File-Fetch File-Find \
         File-HomeDir File-Listing File-Path File-ShareDir File-Slurp File-Temp File-Which File-stat \
         FileCache FileHandle Filter Filter-Simple FindBin GDBM_File Getopt-Long Getopt-Std Git \
         HTML-Parser HTML-Tagset HTTP-Cookies HTTP-Date HTTP-Message HTTP-Negotiate HTTP-Tiny Hash-Util \
         Hash-Util-FieldHash I18N-Collate I18N-LangTags I18N-Langinfo IO IO-Compress IO-Compress-Lzma IO-HTML \
         IO-Socket-IP IO-Socket-SSL IO-Zlib IPC-Cmd IPC-Open3 IPC-Run IPC-SysV IPC-System-Simple \
         Importer JSON JSON-PP LWP-MediaTypes LWP-Protocol-https List-MoreUtils Locale-Maketext \
         Locale-Maketext-Simple MIME-Base64 MIME-Charset MRO-Compat Mail-Sender Mail-Sendmail Math-BigInt \
         Math-BigInt-FastCalc Math-BigRat Math-Complex Memoize Module-Build Module-CoreList Module-Load \
         Module-Load-Conditional Module-Loaded Module-Metadata Module-Runtime Mozilla-CA NDBM_File NEXT Net \
         Net-HTTP Net-LibIDN2 Net-Ping Net-SSLeay NTLM ODBM_File Opcode POSIX Package-Generator \
         Params-Check Params-Util PathTools Perl-OSType PerlIO-via-QuotedPrint Pod-Checker Pod-Escapes \
         Pod-Functions Pod-Html Pod-LaTeX Pod-Perldoc Pod-Simple Pod-Usage SNMP_Session Safe Scalar-List-Utils \
         Search-Dict SelectSaver SelfLoader Socket Software-License Storable Sub-Exporter Sub-Install Symbol \
         Sys-Hostname Sys-Syslog TermReadKey Term-ANSIColor Term-Cap Term-Complete Term-ReadLine Test \
         Test-Harness Test-Simple Text-Abbrev Text-Balanced Text-Diff Text-Glob Text-ParseWords \
         Text-Tabs+Wrap Text-Template Text-Unidecode Thread Thread-Queue Tie Tie-File Tie-Memoize \
         Tie-RefHash Time Time-HiRes Time-Local Time-Piece TimeDate Try-Tiny URI Unicode-Collate \
         Unicode-LineBreak Unicode-Normalize Unicode-UCD User-pwent WWW-RobotRules XML-Catalog XML-LibXML \
         XML-NamespaceSupport XML-Parser XML-SAX XML-SAX-Base XML-Twig XML-XPath XString YAML YAML-Tiny \
         autodie autouse base bignum blib constant debugger deprecate devel diagnostics doc encoding \
         encoding-warnings experimental fields filetest if inc-latest interpreter-threads lib libnet \
         libwww-perl local-lib locale macros meta-notation mro open overload overloading parent perlfaq ph \
         podlators sigtrap sort srpm-macros subs tests threads threads-shared utils vars version vmsish",
        "",
    ),
    noarch(
        "python3-",
        "PyMySQL aiohttp argcomplete asn1crypto async-timeout attrs audit babel backoff bcrypt beautifulsoup4 \
         blinker boto3 botocore brotli build cachetools certifi cffi chardet charset-normalizer click \
         colorama configobj construct contextlib2 cryptography cssselect cycler dasbus dateutil dbus \
         decorator defusedxml deprecated dill distlib distro dns dnf docker docopt docutils editables ethtool \
         execnet fasteners fedora filelock firewall flask flit-core fonttools frozenlist future gitdb gitpython \
         gobject google-auth gpg greenlet gssapi h11 hatchling hawkey html5lib httpcore httplib2 httpx idna \
         imagesize importlib-metadata iniconfig invoke ipython isodate isort itsdangerous jedi jeepney jinja2 \
         jmespath joblib jose jsonpatch jsonpointer jsonschema jwt jwcrypto keyring kiwisolver koji kubernetes \
         langtable lark ldap libcomps libdnf libdnf5 librepo libselinux libsemanage libvirt libxml2 linux-procfs \
         lockfile lxml magic mako markdown markupsafe matplotlib mccabe more-itertools msgpack multidict \
         munch mypy_extensions netaddr netifaces networkx nftables nose numpy oauthlib olefile openidc-client \
         ordered-set packaging pandas paramiko parso pathspec pbr peewee pexpect pickleshare pillow pip \
         pip-wheel pluggy ply podman policycoreutils poetry-core prettytable productmd progressbar2 \
         prompt-toolkit protobuf psutil psycopg2 ptyprocess py pyasn1 pyasn1-modules pycodestyle pycparser \
         pycryptodomex pycurl pydantic pyflakes pygments pynacl pyOpenSSL pyparsing pyproject-hooks \
         pyroute2 pyrsistent pysocks pytest pytest-asyncio pytest-cov pytest-mock pytest-xdist pytz pyudev \
         pyxdg pyyaml redis regex requests requests-file requests-ftp requests-gssapi requests-oauthlib \
         requests-toolbelt resolvelib rich rpm rpmautospec rpmautospec-core rpmfluff rsa ruamel-yaml \
         ruamel-yaml-clib s3transfer scikit-build scipy secretstorage selenium semantic_version \
         semver setools setuptools setuptools-scm setuptools_scm simplejson six slip smmap \
         snowballstemmer sortedcontainers soupsieve specfile sphinx sphinx-theme-alabaster \
         sphinxcontrib-applehelp sphinxcontrib-devhelp sphinxcontrib-htmlhelp sphinxcontrib-jsmath \
         sphinxcontrib-qthelp sphinxcontrib-serializinghtml sqlalchemy sssdconfig sympy systemd tabulate \
         tenacity termcolor text-unidecode texttable threadpoolctl toml tomli tomlkit tornado tox tqdm \
         traitlets trove-classifiers typing-extensions unbound urllib3 virtualenv waitress wcwidth \
         webencodings websocket-client websockets werkzeug wheel wheel-wheel wrapt xmltodict yarl zipp zstandard",
        "",
    ),
    noarch(
        "glibc-langpack-",
        "aa af agr ak am an anp ar as ast ayc az be bem ber bg bhb bho bi bn bo br brx bs byn ca ce chr ckb cmn crh \
         cs csb cv cy da de doi dsb dv dz el en eo es et eu fa ff fi fil fo fr fur fy ga gd gez gl gu gv ha hak \
         he hi hif hne hr hsb ht hu hy ia id ig ik is it iu ja ka kab kk kl km kn ko kok ks ku kw ky lb lg li lij \
         ln lo lt lv lzh mag mai mfe mg mhr mi miq mjw mk ml mn mni mnw mr ms mt my nan nb nds ne nhn niu nl nn nr \
         nso oc om or os pa pap pl ps pt quz raj ro ru rw sa sah sat sc sd se sgs shn shs si sid sk sl sm so sq sr \
         ss st sv sw syr szl ta tcy te tg th the ti tig tk tl tn to tpi tr ts tt ug uk unm ur uz ve vi wa wae wal \
         wo xh yi yo yue yuw zh zu",
        "",
    ),
    noarch(
        "texlive-",
        "ae algorithms alphalph amscls amsfonts amsmath anyfontsize anysize atbegshi attachfile atveryend \
         auxhook avantgar babel babel-english babelbib base beamer bera beton bibtex bigintcalc bitset \
         bookman booktabs breakurl breqn bvbar capt-of caption carlisle catchfile changepage charter chngcntr cite \
         classpack cm cm-lgc cm-super cmap cmextra collection-basic collection-fontsrecommended \
         collection-latex collection-latexrecommended colorprofiles colortbl courier crop csquotes \
         ctable ctablestack currfile datetime dehyph dvipdfmx dvips ec eepic enctex enumitem epstopdf \
         epstopdf-pkg eso-pic etex etex-pkg etexcmds etoc etoolbox euenc euler euro eurosym extsizes \
         fancybox fancyhdr fancyref fancyvrb filecontents filehook finstrut firstaid float fontaxes fontspec \
         footmisc fp fpl framed garuda-c90 geometry gettitlestring glyphlist graphics graphics-cfg \
         graphics-def grfext grffile gsftopk helvetic hobsub hologo hopatch hycolor hyperref hyph-utf8 \
         hyphen-base hyphenex ifmtarg ifplatform iftex import index infwarerr intcalc jknapltx kastrup \
         knuth-lib knuth-local koma-script kpathsea kvdefinekeys kvoptions kvsetkeys l3backend l3kernel \
         l3packages latex latex-fonts latexconfig latexmk lettrine letltxmacro lib linegoal lineno listings lm \
         lm-math ltabptch ltxcmds ltxmisc lua-alt-getopt luahbtex lualibs luaotfload luatex luatex85 \
         luatexbase lwarp makecmds makeindex manfnt-font marginnote marvosym mathpazo mathspec mathtools \
         mdwtools memoir metafont metalogo mflogo mflogo-font mfnfss mfware microtype mnsymbol modes \
         mparhack mptopdf ms multido multirow natbib ncntrsbk needspace norasi-c90 notoccite ntgclass \
         oberdiek overpic palatino paralist parallel parskip passivetex pdfcolmk pdfescape pdflscape pdfpages \
         pdftex pdftexcmds pgf philokalia plain placeins polyglossia powerdot preprint psfrag pslatex \
         psnfss pspicture pst-3d pst-arrow pst-blur pst-coil pst-eps pst-fill pst-grad pst-math pst-node \
         pst-ovl pst-plot pst-slpe pst-text pst-tools pst-tree pstricks pstricks-add ptext pxfonts qstest \
         ragged2e rcs realscripts refcount rerunfilecheck rsfs sansmath sansmathaccent sauerj section \
         sectsty seminar sepnum setspace showexpl soul stackengine standalone stmaryrd stringenc subfig \
         subfigure svn-prov symbol tabulary tetex tex tex-gyre tex-ini-files texlive-common-doc \
         texlive-en texlive-scripts textcase textpos threeparttable thumbpdf times tipa titlesec titling \
         tocloft tools translator trimspaces txfonts type1cm typehtml ucharcat ucharclasses ucs uhc \
         ulem underscore unicode-data unicode-math uniquecounter unisugar updmap-map upquote url utopia \
         varwidth wadalab was wasy wasy-type1 wasysym wrapfig xcolor xdvi xecjk xecolor xecyr xeindex \
         xesearch xetex xetexconfig xifthen xkeyval xltxtra xmltex xstring xtab xunicode zapfchan zapfding zref",
        "",
    ),
    noarch(
        "google-noto-",
        "sans sans-mono serif sans-arabic sans-armenian sans-bengali sans-cjk sans-devanagari sans-ethiopic \
         sans-georgian sans-gujarati sans-gurmukhi sans-hebrew sans-kannada sans-khmer sans-lao sans-math \
         sans-sinhala sans-symbols sans-symbols2 sans-tamil sans-telugu sans-thaana sans-thai color-emoji",
        "-fonts",
    ),
    noarch(
        "hunspell-",
        "af am ar as ast az be bg bn br ca cop csb cv cy da de dsb el en en-GB en-US eo es et eu fa fj fo fr \
         fur fy ga gd gl grc gu gv ha haw he hi hil hr hsb ht hu hy ia id is it kk km kn ko ku la lb ln lt lv \
         mai mg mi mk ml mn mos mr ms mt nb nds ne nl nn nr nso ny oc om or pa pl plt pt qu quh ro ru rw se shs \
         si sk sl smj so sq sr ss st sv sw ta te tet th tk tl tn tpi ts uk ur uz ve vi wa xh yi zu",
        "",
    ),
];
