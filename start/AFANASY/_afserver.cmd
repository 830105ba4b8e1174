@echo off
rem Name=Server...
rem The server needs a POSIX system: on Windows it runs in the Windows Subsystem for Linux.
where /q wsl.exe
if errorlevel 1 (
    echo afserver: the Windows Subsystem for Linux is missing; install it with: wsl --install 1>&2
    exit /b 1
)
wsl.exe --cd "%~dp0." --exec bash ./_afserver.sh %*
exit /b %ERRORLEVEL%
